import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { deflateRawSync, deflateSync } from 'node:zlib';
import { decodeAudioFile, encodeWav } from '@faultline/media';
import { readIcon } from './icon-set.ts';
import { readQtResource } from './qt-resources.ts';
import { readCatalogueSound } from './sound-catalogue.ts';
import { readSoundFontSample } from './sound-font.ts';
import { ZipArchive } from './zip.ts';

const numbers = (size: 2 | 4, bigEndian: boolean, ...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(size * values.length);
  for (const [at, value] of values.entries()) {
    if (bigEndian) bytes.writeUIntBE(value, at * size, size);
    else bytes.writeUIntLE(value, at * size, size);
  }
  return bytes;
};
const u16 = (...values: readonly number[]) => numbers(2, false, ...values);
const u32 = (...values: readonly number[]) => numbers(4, false, ...values);
const u16be = (...values: readonly number[]) => numbers(2, true, ...values);
const u32be = (...values: readonly number[]) => numbers(4, true, ...values);
const text = (value: string) => Buffer.from(value, 'latin1');

test('zip archives give stored and deflated files, and name what they lack', async () => {
  const content = Buffer.from('a sound, a sound, a sound');
  const files = [
    { name: 'dir/stored.ogg', method: 0, bytes: content },
    { name: 'dir/packed.ogg', method: 8, bytes: deflateRawSync(content) },
  ];
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, method, bytes } of files) {
    const sizes = u32(0, bytes.length, content.length);
    const local = Buffer.concat([text('PK\x03\x04'), u16(20, 0, method, 0, 0), sizes, u16(name.length, 3), text(name)]);
    locals.push(local, text('xyz'), bytes);
    const head = [text('PK\x01\x02'), u16(20, 20, 0, method, 0, 0), sizes, u16(name.length, 0, 0, 0, 0)];
    directory.push(Buffer.concat([...head, u32(0, offset), text(name)]));
    offset += local.length + 3 + bytes.length;
  }
  const list = Buffer.concat(directory);
  const end = [text('PK\x05\x06'), u16(0, 0, 2, 2), u32(list.length, offset), u16(7), text('comment')];
  const folder = await mkdtemp(join(tmpdir(), 'faultline-zip-'));
  try {
    await writeFile(join(folder, 'a.zip'), Buffer.concat([...locals, list, ...end]));
    await using archive = await ZipArchive.open(join(folder, 'a.zip'));
    for (const { name } of files) assert.deepEqual(await archive.read(name), content);
    await assert.rejects(archive.read('other.ogg'), /holds no "other\.ogg"/);
    await writeFile(join(folder, 'b.zip'), 'no archive');
    await assert.rejects(ZipArchive.open(join(folder, 'b.zip')), /is no zip archive/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('Qt resources give plain and compressed files by their path', () => {
  const content = Buffer.from('a picture, a picture, a picture');
  const name = (value: string) =>
    Buffer.concat([u16be(value.length), u32be(0), Buffer.from(value, 'utf16le').swap16()]);
  const names = [name('dir'), name('plain.webp'), name('packed.svg')];
  const nameOffsets = [0, names[0]?.length ?? 0, (names[0]?.length ?? 0) + (names[1]?.length ?? 0)];
  const packed = Buffer.concat([u32be(content.length), deflateSync(content)]);
  const data = [u32be(content.length), content, u32be(packed.length), packed];
  const stamp = u32be(0, 0);
  const folder = (at: number, count: number, first: number) =>
    Buffer.concat([u32be(at), u16be(2), u32be(count, first), stamp]);
  const file = (at: number, flags: number, offset: number) =>
    Buffer.concat([u32be(at), u16be(flags, 0, 0), u32be(offset), stamp]);
  const tree = Buffer.concat([
    folder(0, 1, 1),
    folder(0, 2, 2),
    file(nameOffsets[1] ?? 0, 0, 0),
    file(nameOffsets[2] ?? 0, 1, 4 + content.length),
  ]);
  const head = 20;
  const dataBytes = Buffer.concat(data);
  const archive = Buffer.concat([
    text('qres'),
    u32be(2, head, head + tree.length, head + tree.length + dataBytes.length),
    tree,
    dataBytes,
    ...names,
  ]);
  assert.deepEqual(readQtResource(archive, 'dir/plain.webp'), content);
  assert.deepEqual(readQtResource(archive, 'dir/packed.svg'), content);
  assert.throws(() => readQtResource(archive, 'dir/other'), /hold no "dir\/other"/);
  assert.throws(() => readQtResource(Buffer.from('none'), 'dir'), /these are no Qt resources/);
});

test('a sound catalogue gives its sounds by number', () => {
  const sounds = [0.1, 0.2].map((level) => Buffer.from(encodeWav(new Float32Array(40).fill(level), 11_025)));
  const entries = sounds.map((wav, at) => Buffer.concat([Buffer.from([3]), text(`s${at}\0`), wav]));
  const table = 16;
  const lengths = sounds.map(({ length }) => length);
  const catalogue = Buffer.concat([
    u32(table + 2 ** 31, lengths[0] ?? 0, table + (entries[0]?.length ?? 0), lengths[1] ?? 0),
    ...entries,
  ]);
  for (const [at, wav] of sounds.entries()) assert.deepEqual(readCatalogueSound(catalogue, at), wav);
  assert.throws(() => readCatalogueSound(catalogue, 2), /holds 2 sounds, so there is no number 2/);
});

test('a sound font gives a sample by name, at its own rate', async () => {
  const chunk = (name: string, content: Buffer) => Buffer.concat([text(name), u32(content.length), content]);
  const list = (kind: string, ...parts: readonly Buffer[]) => chunk('LIST', Buffer.concat([text(kind), ...parts]));
  const header = (name: string, from: number, to: number) =>
    Buffer.concat([text(name.padEnd(20, '\0')), u32(from, to, from, to, 16_000), Buffer.alloc(6)]);
  const samples = Buffer.alloc(200);
  for (let at = 50; at < 100; at++) samples.writeInt16LE(16_384, 2 * at);
  const parts = [
    list('sdta', chunk('smpl', samples)),
    list('pdta', chunk('shdr', Buffer.concat([header('Other', 0, 50), header('Bird2(L)', 50, 100)]))),
  ];
  const font = chunk('RIFF', Buffer.concat([text('sfbk'), ...parts]));
  const sound = await decodeAudioFile(readSoundFontSample(font, 'Bird2(L)'));
  assert.equal(sound.length, 50);
  assert.ok(sound.every((value) => Math.abs(value - 0.5) < 1e-4));
  assert.throws(() => readSoundFontSample(font, 'Bird'), /holds no sample "Bird"/);
});

test('an icon set gives icons and aliases as SVG', () => {
  const set = { width: 32, icons: { dog: { body: '<path/>', height: 20 } }, aliases: { hound: { parent: 'dog' } } };
  const svg = String(readIcon(Buffer.from(JSON.stringify(set)), 'hound'));
  assert.match(svg, /width="32" height="20" viewBox="0 0 32 20"><path\/><\/svg>$/);
  assert.throws(() => readIcon(Buffer.from(JSON.stringify(set)), 'cat'), /has no "cat"/);
});
