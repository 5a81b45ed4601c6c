import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Split } from '../splits.ts';
import type { ImportItem } from './import-item.ts';
import { encodeNpy, type NpyArray } from './npy.ts';
import { type ClipTensors, type MediaShape, readClip } from './read-clip.ts';

/** Clips of one shard: a few MB of tensors. */
export const SHARD_CLIPS = 64;

/** Raised when reading changes, so that shards of older versions are made anew. */
const SHARD_VERSION = 1;

/** A clip to be read, its data's digest known. */
export interface ShardItem extends Pick<ImportItem, 'id' | 'source'> {
  readonly digest: string;
}

/** Clips that lie in one set of files. */
export interface Shard {
  readonly split: Split;
  /** Names the files: a digest of all that decides their content. */
  readonly key: string;
  readonly items: readonly ShardItem[];
}

/** A clip that could not be read. */
export interface LeftOut {
  readonly id: string;
  readonly reason: string;
}

/** What a shard's files hold; written last, so that where it is the files are whole. */
export interface ShardIndex {
  /** Clips in the order of the rows. */
  readonly clips: readonly string[];
  readonly leftOut: readonly LeftOut[];
  /** Clips whose sound is digital silence, or whose pictures never change. */
  readonly silent: readonly string[];
  readonly still: readonly string[];
  /** Sizes of one clip's tensors. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

export function planShards(split: Split, items: readonly ShardItem[], shape: MediaShape): Shard[] {
  return Array.from({ length: Math.ceil(items.length / SHARD_CLIPS) }, (_, at) => {
    const own = items.slice(at * SHARD_CLIPS, (at + 1) * SHARD_CLIPS);
    const content = JSON.stringify([SHARD_VERSION, shape, own.map(({ id, digest }) => [id, digest])]);
    const key = createHash('sha256').update(content).digest('hex').slice(0, 16);
    return { split, key: `${split}-${String(at).padStart(5, '0')}-${key}`, items: own };
  });
}

export const shardFile = (folder: string, key: string, tensor: string): string =>
  join(folder, 'shards', `${key}.${tensor}.npy`);
const indexFile = (folder: string, key: string): string => join(folder, 'shards', `${key}.json`);

/** The index of a shard that was made before; nothing when it was not, or not to its end. */
export async function readShardIndex(folder: string, key: string): Promise<ShardIndex | undefined> {
  const text = await readFile(indexFile(folder, key), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

/** Reads the clips of a shard and writes its files. Clips that cannot be read are left out, with the reason. */
export async function makeShard(folder: string, { key, items }: Shard, shape: MediaShape): Promise<ShardIndex> {
  await mkdir(join(folder, 'shards'), { recursive: true });
  const read: { readonly id: string; readonly tensors: ClipTensors }[] = [];
  const leftOut: LeftOut[] = [];
  for (const { id, source } of items) {
    try {
      read.push({ id, tensors: await readClip(source, shape) });
    } catch (error) {
      leftOut.push({ id, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  const tensors: Record<string, readonly number[]> = {};
  for (const [name, { dims }] of Object.entries(read[0]?.tensors ?? {})) {
    tensors[name] = dims;
    const rows = read.flatMap((clip) => clip.tensors[name]?.data ?? []);
    await writeWhole(shardFile(folder, key, name), encodeNpy({ dims: [rows.length, ...dims], data: joined(rows) }));
  }
  const named = (wanted: (tensors: ClipTensors) => boolean) =>
    read.filter((clip) => wanted(clip.tensors)).map(({ id }) => id);
  const index: ShardIndex = {
    clips: read.map(({ id }) => id),
    leftOut,
    silent: named(({ waveform }) => waveform?.data.every((value) => value === 0) === true),
    still: named(({ frames }) => frames !== undefined && isStill(frames)),
    tensors,
  };
  await writeWhole(indexFile(folder, key), `${JSON.stringify(index)}\n`);
  return index;
}

function joined(rows: readonly NpyArray['data'][]): NpyArray['data'] {
  const length = rows.reduce((sum, row) => sum + row.length, 0);
  const all = rows[0] instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return all;
}

function isStill({ dims, data }: NpyArray): boolean {
  const each = data.length / (dims[0] ?? 1);
  return data.every((value, index) => value === data[index % each]);
}

async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.part`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}
