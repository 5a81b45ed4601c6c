import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeNpy, type NpyArray } from './npy.ts';

/** Clips of one shard: a few MB of tensors. */
export const SHARD_CLIPS = 64;

/** Raised when the files' form changes, so that shards of older versions are made anew. */
const SHARD_VERSION = 2;

/** Clips that lie in one set of files. */
export interface Shard<T> {
  /** Names the files: a digest of all that decides their content. */
  readonly key: string;
  readonly items: readonly T[];
}

/** Tensors of one clip, by name. */
export type ClipTensors = Readonly<Record<string, NpyArray>>;

export interface ShardClip {
  readonly id: string;
  readonly sha256: string;
}

/** A clip that could not be read. */
export interface LeftOut {
  readonly id: string;
  readonly reason: string;
}

/** What a shard's files hold; written last, so that where it is the files are whole. */
export interface ShardIndex {
  /** In the order of the rows. */
  readonly clips: readonly ShardClip[];
  readonly leftOut: readonly LeftOut[];
  /** Clips whose sound is digital silence, or whose pictures never change. */
  readonly silent: readonly string[];
  readonly still: readonly string[];
  /** Sizes of one clip's tensors. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
}

/** @param content all that decides the tensors of some clips, as JSON */
export function planShards<T>(
  part: string,
  items: readonly T[],
  content: (items: readonly T[]) => unknown,
): Shard<T>[] {
  return Array.from({ length: Math.ceil(items.length / SHARD_CLIPS) }, (_, at) => {
    const own = items.slice(at * SHARD_CLIPS, (at + 1) * SHARD_CLIPS);
    const digest = createHash('sha256').update(JSON.stringify([SHARD_VERSION, content(own)]));
    return { key: `${part}-${String(at).padStart(5, '0')}-${digest.digest('hex').slice(0, 16)}`, items: own };
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

/** Writes a shard's files, the index last. */
export async function writeShard(
  folder: string,
  key: string,
  clips: readonly (ShardClip & { readonly tensors: ClipTensors })[],
  leftOut: readonly LeftOut[] = [],
): Promise<ShardIndex> {
  await mkdir(join(folder, 'shards'), { recursive: true });
  const tensors: Record<string, readonly number[]> = {};
  for (const [name, { dims }] of Object.entries(clips[0]?.tensors ?? {})) {
    tensors[name] = dims;
    const rows = clips.flatMap((clip) => clip.tensors[name]?.data ?? []);
    await writeWhole(shardFile(folder, key, name), encodeNpy({ dims: [rows.length, ...dims], data: joined(rows) }));
  }
  const named = (wanted: (tensors: ClipTensors) => boolean) =>
    clips.filter((clip) => wanted(clip.tensors)).map(({ id }) => id);
  const index: ShardIndex = {
    clips: clips.map(({ id, sha256 }) => ({ id, sha256 })),
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

/** Writes a file so that it is there as a whole or not at all. */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.part`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}
