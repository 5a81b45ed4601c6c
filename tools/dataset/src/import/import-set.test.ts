import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MEDIA_SHAPE } from '../set/media-shape.ts';
import { encodeNpy } from '../set/npy.ts';
import { openSet } from '../set/open-set.ts';
import { SPLIT_SHARES } from './group-splits.ts';
import { type ImportOptions, importSet } from './import-set.ts';
import { readListing } from './listing.ts';

const CLIPS = join(import.meta.dirname, '../../../../zoo/clips');

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-import-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function importFrom(from: string, out: string, more: Partial<ImportOptions> = {}) {
  const options = { name: 'own', shares: SPLIT_SHARES, seed: 1, shape: MEDIA_SHAPE, workers: 1, onProgress: () => {} };
  return importSet({ ...options, items: await readListing(from), out, ...more });
}

/** All files of a set, by name. */
async function contents(folder: string): Promise<Map<string, string>> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => name.includes('.')).sort();
  return new Map(
    await Promise.all(
      files.map(async (name) => [name, (await readFile(join(folder, name))).toString('base64')] as const),
    ),
  );
}

test('a folder of media becomes a set: split by group, repeatable on any number of threads, resumed where it ended', () =>
  inFolder(async (folder) => {
    const media = join(folder, 'media');
    for (const [at, label] of ['dog', 'bird'].entries()) {
      for (let clip = 1; clip <= 6; clip++) {
        const group = join(media, label, `g${clip % 3}`);
        await mkdir(group, { recursive: true });
        await cp(join(CLIPS, `seen-${String(6 * at + clip).padStart(3, '0')}.mp4`), join(group, `${clip}.mp4`));
      }
    }
    await writeFile(join(media, 'dog/g0/broken.mp4'), 'no media');
    const shares = { train: 0.5, validation: 0, test: 0.5 };
    const manifest = await importFrom(media, join(folder, 'a'), { shares });
    assert.equal(manifest.clips.length, 12);
    assert.deepEqual(manifest.tensors, { waveform: [32_000], frames: [8, 3, 64, 64] });
    assert.deepEqual(
      manifest.leftOut.map(({ id }) => id),
      ['dog/g0/broken'],
    );
    const groups = (split: string) =>
      manifest.clips.filter((clip) => clip.split === split).map(({ groups: [group] }) => group);
    assert.ok(groups('test').length > 0 && groups('train').length > 0);
    assert.deepEqual(
      groups('test').filter((group) => groups('train').includes(group)),
      [],
    );
    const card = await readFile(join(folder, 'a/DATA-CARD.md'), 'utf8');
    assert.match(card, /12 clips of 6 groups, 2 labels/);
    assert.match(card, /The licence of 12 clip\(s\) is unknown/);
    assert.match(card, /dog\/g0\/broken/);

    const first = await contents(join(folder, 'a'));
    await importFrom(media, join(folder, 'b'), { shares, workers: 2 });
    assert.deepEqual(await contents(join(folder, 'b')), first);

    // Interrupted: one shard and the ends are missing, and a half-written file lies about.
    const shard = manifest.clips.find(({ split }) => split === 'test')?.shard ?? '';
    const kept = manifest.clips.find(({ split }) => split === 'train')?.shard ?? '';
    for (const name of ['manifest.json', `shards/${shard}.json`]) await rm(join(folder, 'a', name));
    await writeFile(join(folder, 'a/shards', `${shard}.frames.npy.1.part`), 'half');
    const before = (await stat(join(folder, 'a/shards', `${kept}.frames.npy`))).mtimeMs;
    await importFrom(media, join(folder, 'a'), { shares });
    assert.deepEqual(await contents(join(folder, 'a')), first);
    assert.equal((await stat(join(folder, 'a/shards', `${kept}.frames.npy`))).mtimeMs, before);

    let clips = 0;
    const set = await openSet(join(folder, 'a'));
    for await (const batch of set.batches({ split: 'test', batchSize: 4 })) {
      clips += batch.clips.length;
      assert.deepEqual(batch.tensors.frames?.dims, [batch.clips.length, 8, 3, 64, 64]);
      assert.ok(batch.tensors.frames?.data instanceof Uint8Array);
      assert.equal(batch.targets.length, 2 * batch.clips.length);
    }
    assert.equal(clips, groups('test').length);
  }));

test('features of the founding study come from .npy files, of one clip or of all, and from CSV', () =>
  inFolder(async (folder) => {
    const matrix = (dims: readonly number[], value: number) => ({
      dims,
      data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, at) => value + (at % 7)),
    });
    const files = {
      'one.audio.npy': encodeNpy(matrix([400, 64], 1)),
      'one.video.npy': encodeNpy(matrix([10, 2048], 2)),
      'all.audio.npy': encodeNpy(matrix([3, 400, 64], 3)),
      'all.video.npy': encodeNpy(matrix([3, 10, 2048], 4)),
      'text.audio.csv': Array.from({ length: 400 }, (_, at) => new Array(64).fill(at / 8).join()).join('\n'),
      'list.csv': [
        'id,audio,video,row,labels,group',
        'one,one.audio.npy,one.video.npy,,dog,g1',
        'all2,all.audio.npy,all.video.npy,2,bird,g2',
        'text,text.audio.csv,one.video.npy,,dog;bird,g3',
        'wrong,one.video.npy,one.video.npy,,dog,g4',
      ].join('\n'),
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
    const shares = { train: 1, validation: 0, test: 0 };
    const manifest = await importFrom(join(folder, 'list.csv'), join(folder, 'out'), { shares });
    assert.equal(manifest.kind, 'features');
    assert.deepEqual(manifest.tensors, { audio: [400, 64], video: [10, 2048] });
    assert.match(manifest.leftOut[0]?.reason ?? '', /is \[10, 2048\]; expected \[400, 64\]/);
    const set = await openSet(join(folder, 'out'));
    for await (const { clips, tensors } of set.batches({ split: 'train', batchSize: 8 })) {
      assert.deepEqual(
        clips.map(({ id }) => id),
        ['all2', 'one', 'text'],
      );
      const all = matrix([3, 400, 64], 3).data.subarray(2 * 400 * 64);
      assert.deepEqual(tensors.audio?.data.subarray(0, 400 * 64), all);
      assert.equal(tensors.audio?.data.at(-1), 399 / 8);
    }
    assert.ok((await stat(join(folder, 'out/contact-sheet.png'))).size > 1000);
  }));
