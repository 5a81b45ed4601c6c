import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodePicture, decodeSound, type Picture } from './decode.ts';
import type { SourceEntry } from './manifest.ts';
import { trimmed } from './trim-silence.ts';

/** Raised when decoding changes, so that old caches are not read. */
const CACHE_VERSION = 1;
const FOREGROUND_LONG_SIDE = 144;
const BACKGROUND_LONG_SIDE = 256;
const DECODES_AT_ONCE = 4;
const CACHE_DIR = join(import.meta.dirname, '../../../.cache/dataset');

interface LevelIndex {
  readonly width: number;
  readonly height: number;
  readonly offset: number;
}

/** Where each source's decoded data lies in the two buffers. */
interface CacheIndex {
  readonly sounds: Record<string, { offset: number; length: number }>;
  readonly pictures: Record<string, readonly LevelIndex[]>;
}

/** All decoded sources in two buffers that threads can share: [samples as int16], [pixels as bytes]. */
export interface DecodedSources {
  readonly index: CacheIndex;
  readonly samples: SharedArrayBuffer;
  readonly pixels: SharedArrayBuffer;
}

/** Decoded sources of a pack, from the cache or else decoded now and cached. */
export async function loadDecoded(
  packDir: string,
  entries: readonly SourceEntry[],
  cacheDir: string = CACHE_DIR,
): Promise<DecodedSources> {
  const folder = join(cacheDir, cacheKey(entries));
  const indexText = await readFile(join(folder, 'index.json'), 'utf8').catch(() => undefined);
  if (indexText === undefined) await decodeInto(folder, packDir, entries);
  const index: CacheIndex = JSON.parse(indexText ?? (await readFile(join(folder, 'index.json'), 'utf8')));
  const [samples, pixels] = await Promise.all([
    readShared(join(folder, 'samples.bin')),
    readShared(join(folder, 'pixels.bin')),
  ]);
  return { index, samples, pixels };
}

export function soundIn(decoded: DecodedSources, id: string): Int16Array {
  const place = decoded.index.sounds[id];
  if (place === undefined) throw new Error(`no decoded sound "${id}"`);
  return new Int16Array(decoded.samples, place.offset * Int16Array.BYTES_PER_ELEMENT, place.length);
}

export function pictureIn(decoded: DecodedSources, id: string): Picture {
  const places = decoded.index.pictures[id];
  if (places === undefined) throw new Error(`no decoded picture "${id}"`);
  return {
    levels: places.map(({ width, height, offset }) => ({
      width,
      height,
      pixels: new Uint8Array(decoded.pixels, offset, width * height * 4),
    })),
  };
}

function cacheKey(entries: readonly SourceEntry[]): string {
  const hash = createHash('sha256').update(`v${CACHE_VERSION}`);
  for (const { id, sha256 } of entries) hash.update(`\n${id} ${sha256}`);
  return hash.digest('hex').slice(0, 16);
}

async function decodeInto(folder: string, packDir: string, entries: readonly SourceEntry[]): Promise<void> {
  const heard = entries.filter(({ kind }) => kind === 'audio' || kind === 'noise');
  const seen = entries.filter(({ kind }) => kind === 'image' || kind === 'background');
  const sounds = await mapLimited(heard, async (entry) => trimmed(await decodeSound(join(packDir, entry.file))));
  const pictures = await mapLimited(seen, (entry) =>
    decodePicture(join(packDir, entry.file), entry.kind === 'image' ? FOREGROUND_LONG_SIDE : BACKGROUND_LONG_SIDE),
  );
  const index: CacheIndex = { sounds: {}, pictures: {} };
  let offset = 0;
  for (const [at, { id }] of heard.entries()) {
    const length = sounds[at]?.length ?? 0;
    if (length === 0) throw new Error(`source "${id}" is silent`);
    index.sounds[id] = { offset, length };
    offset += length;
  }
  offset = 0;
  for (const [at, { id }] of seen.entries()) {
    index.pictures[id] = (pictures[at]?.levels ?? []).map(({ width, height, pixels }) => {
      const place = { width, height, offset };
      offset += pixels.length;
      return place;
    });
  }
  await mkdir(folder, { recursive: true });
  await writeParts(join(folder, 'samples.bin'), sounds);
  await writeParts(
    join(folder, 'pixels.bin'),
    pictures.flatMap(({ levels }) => levels.map(({ pixels }) => pixels)),
  );
  // The index is written last: where it is, the data is whole.
  await writeWhole(join(folder, 'index.json'), (path) => writeFile(path, JSON.stringify(index)));
}

async function writeParts(path: string, parts: readonly (Int16Array | Uint8Array)[]): Promise<void> {
  const bytes = parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
  await writeWhole(path, (temporary) => writeFile(temporary, bytes));
}

/** Two processes may fill the cache at once: each writes a file of its own, the rename is atomic. */
async function writeWhole(path: string, write: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}`;
  await write(temporary);
  await rename(temporary, path);
}

async function readShared(path: string): Promise<SharedArrayBuffer> {
  await using file = await open(path);
  const { size } = await file.stat();
  const buffer = new SharedArrayBuffer(size);
  const bytes = new Uint8Array(buffer);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await file.read(bytes, at, size - at, at);
    if (bytesRead === 0) throw new Error(`"${path}" ended early; remove its folder and run again`);
    at += bytesRead;
  }
  return buffer;
}

async function mapLimited<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = items.entries();
  const lane = async (): Promise<void> => {
    for (const [at, item] of queue) results[at] = await work(item);
  };
  await Promise.all(Array.from({ length: DECODES_AT_ONCE }, lane));
  return results;
}
