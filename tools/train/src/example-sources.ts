import { exampleStream, type OpenSet, type SetClip } from '@faultline/dataset';
import { CounterRandom } from '@faultline/training';
import type { PoolBatch } from './example-pool.ts';
import { inputsIn } from './measuring-sets.ts';

/** An endless sequence of training examples: number i is always the same. */
export type ExampleSource = (range: ExampleRange) => AsyncIterable<PoolBatch>;

export interface ExampleRange {
  /** Number of the first example. */
  readonly start: number;
  readonly count: number;
  readonly batchSize: number;
}

/** Examples composed from a source pack, none twice. */
export function packSource(packDir: string, seed: number): ExampleSource {
  return async function* ({ start, count, batchSize }) {
    for await (const batch of exampleStream({ packDir, split: 'train', seed, start, count, batchSize })) {
      const { waveform, frames, size, audioTargets, visualTargets } = batch;
      yield { start: batch.start, size, inputs: { waveform, frames }, audioTargets, visualTargets };
    }
  };
}

/**
 * The training clips of a set over and over, each round in another order.
 * @throws RangeError when the set has none.
 */
export function setSource(set: OpenSet, seed: number): ExampleSource {
  const clips = set.clips({ split: 'train' });
  if (clips.length === 0) throw new RangeError('the set has no training clips; build or import it with some');
  return async function* ({ start, count, batchSize }) {
    const order = roundOrders(clips.length, seed);
    for (let first = start; first < start + count; first += batchSize) {
      const size = Math.min(batchSize, start + count - first);
      const chosen = Array.from({ length: size }, (_, offset): SetClip => {
        const clip = clips[order(first + offset)];
        if (clip === undefined) throw new RangeError(`the set has no clip for example ${first + offset}`);
        return clip;
      });
      const batch = await set.read(chosen, first);
      const { audioTargets, visualTargets } = batch;
      yield { start: first, size, inputs: inputsIn(batch), audioTargets, visualTargets };
    }
  };
}

/** Example -> clip; keeps the order of the round at hand. */
function roundOrders(clips: number, seed: number): (example: number) => number {
  let round = -1;
  let order: number[] = [];
  return (example) => {
    const wanted = Math.floor(example / clips);
    if (wanted !== round) {
      const random = new CounterRandom(seed, `round/${wanted}`);
      const keys = Array.from({ length: clips }, (_, clip) => random.uniform(clip));
      order = [...keys.keys()].sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
      round = wanted;
    }
    return order[example % clips] ?? 0;
  };
}
