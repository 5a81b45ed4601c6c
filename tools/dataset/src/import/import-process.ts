import type { MediaShape } from '../set/media-shape.ts';
import { type LeftOut, type Shard, writeShard } from '../set/shards.ts';
import type { ItemSource } from './import-item.ts';
import { readClip } from './read-clip.ts';

/** A clip to be read, its data's digest known. */
export interface ShardItem {
  readonly id: string;
  readonly source: ItemSource;
  readonly digest: string;
}

/** What the importing process asks of this one. */
export interface ShardRequest {
  readonly folder: string;
  readonly shape: MediaShape;
  readonly shard: Shard<ShardItem>;
}

process.on('message', async ({ folder, shape, shard: { key, items } }: ShardRequest) => {
  const leftOut: LeftOut[] = [];
  const clips = [];
  for (const { id, source, digest: sha256 } of items) {
    try {
      clips.push({ id, sha256, tensors: await readClip(source, shape) });
    } catch (error) {
      leftOut.push({ id, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  process.send?.(await writeShard(folder, key, clips, leftOut));
});
