import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { encodeScene } from '../clip-set.ts';
import { renderScene } from '../compose.ts';
import { TRAINING_GEOMETRY } from '../render-frames.ts';
import { type Shard, type ShardIndex, writeShard, writeWhole } from '../set/shards.ts';
import { type SharedSources, sourcesFrom } from '../sources.ts';
import { type BuiltPart, clipId, sceneOf } from './set-part.ts';

export interface ThreadSetup {
  readonly shared: SharedSources;
  readonly out: string;
  readonly seed: number;
}

/** A clip of a part, by its number. */
export interface BuiltItem {
  readonly part: BuiltPart;
  readonly index: number;
}

/** A shard of tensors, or a clip as a media file. */
export type ThreadTask =
  | { readonly kind: 'shard'; readonly shard: Shard<BuiltItem> }
  | { readonly kind: 'media'; readonly item: BuiltItem };

export interface ThreadAnswer {
  /** Of a shard. */
  readonly index: ShardIndex | null;
  /** What was thrown, or null. */
  readonly error: unknown;
}

const { shared, out, seed }: ThreadSetup = workerData;
const sources = sourcesFrom(shared);

parentPort?.on('message', async (task: ThreadTask) => {
  const answer = await perform(task).then(
    (index): ThreadAnswer => ({ index, error: null }),
    (error: unknown): ThreadAnswer => ({ index: null, error }),
  );
  parentPort?.postMessage(answer);
});

async function perform(task: ThreadTask): Promise<ShardIndex | null> {
  return task.kind === 'shard' ? makeShard(task.shard) : writeMedia(task.item);
}

async function makeShard({ key, items }: Shard<BuiltItem>): Promise<ShardIndex> {
  const { width, height, frameCount } = TRAINING_GEOMETRY;
  const clips = items.map(({ part, index }) => {
    const { waveform, frames } = renderScene(sources, sceneOf(sources, part, seed, index).scene, TRAINING_GEOMETRY);
    return {
      id: clipId(part.name, index),
      sha256: createHash('sha256').update(waveform).update(frames).digest('hex'),
      tensors: {
        waveform: { dims: [waveform.length], data: waveform },
        frames: { dims: [frameCount, 3, height, width], data: frames },
      },
    };
  });
  return writeShard(out, key, clips);
}

async function writeMedia({ part, index }: BuiltItem): Promise<null> {
  const { scene } = sceneOf(sources, part, seed, index);
  const bytes = await encodeScene(sources, scene, { form: 'mp4', openEnded: false });
  await writeWhole(join(out, 'media', `${clipId(part.name, index)}.mp4`), bytes);
  return null;
}
