import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeNpy, readNpy } from '../set/npy.ts';
import { parseCsv } from './csv.ts';
import { readListing } from './listing.ts';

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-listing-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('CSV fields may hold commas, quotes and line ends', () => {
  assert.deepEqual(parseCsv('\ufeffa,b\r\n"x, ""y""",\n\n"1\n2",3'), [
    ['a', 'b'],
    ['x, "y"', ''],
    ['1\n2', '3'],
  ]);
  assert.throws(() => parseCsv('"open'), /no closing quote/);
});

test('a folder says label and group by its folders', () =>
  inFolder(async (folder) => {
    await mkdir(join(folder, 'dog/rex'), { recursive: true });
    for (const file of ['dog/rex/1.mp4', 'dog/rex/2.MP4', 'dog/lone.webm', 'dog/notes.txt']) {
      await writeFile(join(folder, file), '');
    }
    const found = (await readListing(folder)).map(({ id, labels, group, groupGiven }) => [
      id,
      ...labels,
      group,
      groupGiven,
    ]);
    assert.deepEqual(found, [
      ['dog/lone', 'dog', 'dog/lone', false],
      ['dog/rex/1', 'dog', 'dog/rex', true],
      ['dog/rex/2', 'dog', 'dog/rex', true],
    ]);
    await writeFile(join(folder, 'stray.mp4'), '');
    await assert.rejects(readListing(folder), /"stray.mp4" lies in no folder of a label/);
  }));

test('a CSV says more, and what is wrong in it is named by row and column', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'list.csv');
    const read = async (text: string) => {
      await writeFile(path, text);
      return readListing(path);
    };
    const [clip] = await read('file,labels,group,split,licence\nclips/a.mp4,dog; bird,g1,test,CC0-1.0\n');
    assert.ok(clip);
    assert.equal(clip.id, 'clips/a');
    assert.deepEqual(clip.source, { kind: 'media', file: join(folder, 'clips/a.mp4') });
    assert.deepEqual([clip.labels, clip.group, clip.split, clip.licence], [['dog', 'bird'], 'g1', 'test', 'CC0-1.0']);
    const [features] = await read('audio,video,row,labels\na.npy,v.npy,7,dog\n');
    assert.equal(features?.id, 'a/0000007');
    const refused = (text: string, message: RegExp) => assert.rejects(read(text), message);
    await refused('file,labels\na.mp4,\n', /row 2: the column labels is empty/);
    await refused('file,label\na.mp4,x\n', /unknown column "label"/);
    await refused('audio,labels\na.npy,x\n', /give the column file, or both audio and video/);
    await refused('file,labels,split\na.mp4,x,dev\n', /split is "dev"; give train, validation, test/);
    await refused('file,labels,split\na.mp4,x,test\nb.mp4,x,\n', /1 of 2 clips have no split/);
    await refused('file,labels\na.mp4,x\na.mp4,y\n', /two clips have the id "a"/);
    await refused('file,labels\n', /lists no clip/);
  }));

test('arrays survive .npy files, whole or by row', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'a.npy');
    const array = { dims: [2, 3], data: Float32Array.of(1, -2, 3.5, 4, 5, 6e-8) };
    await writeFile(path, encodeNpy(array));
    assert.deepEqual(await readNpy(path), array);
    assert.deepEqual(await readNpy(path, 1), { dims: [3], data: array.data.slice(3) });
    await assert.rejects(readNpy(path, 2), /has 2 rows, so there is no row 2/);
    await writeFile(path, encodeNpy(array).subarray(0, -1));
    await assert.rejects(readNpy(path), /cut short/);
    await writeFile(path, 'no array at all, a text');
    await assert.rejects(readNpy(path), /no \.npy file/);
  }));
