import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { OnProgress } from './progress.ts';
import { readShardIndex, type Shard, type ShardIndex } from './shards.ts';

/** Makes shards one after the other, in a process or thread of its own. */
export interface ShardMaker<T> {
  make(shard: Shard<T>): Promise<ShardIndex>;
  close(): Promise<void>;
}

export interface ShardsOptions<T> {
  readonly out: string;
  readonly shards: readonly Shard<T>[];
  /** Makers at once. The files do not depend on it. */
  readonly workers: number;
  readonly onProgress: OnProgress;
}

/**
 * The shards' indexes in their order. Those made before are read, the others made; files of other shards are removed, and what a
 * killed run left half-written.
 */
export async function makeShards<T>(
  { out, shards, workers, onProgress }: ShardsOptions<T>,
  openMaker: () => ShardMaker<T>,
): Promise<readonly ShardIndex[]> {
  await mkdir(join(out, 'shards'), { recursive: true });
  const found = new Map<string, ShardIndex>();
  for (const { key } of shards) {
    const index = await readShardIndex(out, key);
    if (index !== undefined) found.set(key, index);
  }
  const of = shards.reduce((sum, { items }) => sum + items.length, 0);
  let done = shards.reduce((sum, { key, items }) => sum + (found.has(key) ? items.length : 0), 0);
  onProgress({ stage: 'clips', done, of });
  const missing = shards.filter(({ key }) => !found.has(key));
  const queue = missing.values();
  const lane = async (): Promise<void> => {
    const maker = openMaker();
    try {
      for (const shard of queue) {
        found.set(shard.key, await maker.make(shard));
        done += shard.items.length;
        onProgress({ stage: 'clips', done, of });
      }
    } finally {
      await maker.close();
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, missing.length) }, lane));
  await removeOthers(out, new Set(shards.map(({ key }) => key)));
  return shards.flatMap(({ key }) => found.get(key) ?? []);
}

async function removeOthers(out: string, own: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(join(out, 'shards'))) {
    const key = name.split('.')[0] ?? '';
    if (!own.has(key) || name.endsWith('.part')) await rm(join(out, 'shards', name));
  }
}
