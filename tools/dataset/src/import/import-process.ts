import type { MediaShape } from './read-clip.ts';
import { makeShard, type Shard } from './shards.ts';

/** What the importing process asks of this one. */
export interface ShardRequest {
  readonly folder: string;
  readonly shape: MediaShape;
  readonly shard: Shard;
}

process.on('message', async ({ folder, shape, shard }: ShardRequest) => {
  process.send?.(await makeShard(folder, shard, shape));
});
