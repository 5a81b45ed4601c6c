import { BalancedSampler, CounterRandom, type TrainingBatch } from '@faultline/training';
import { type Clip, type ClipRow, drawClip, type PictureSize } from './augment.ts';

/** Composed examples kept for re-use; a fresh one replaces the oldest. */
export const POOL_CAPACITY = 6144;

/** Consecutive examples, each tensor's first axis being the batch; targets are 0/1. */
export interface PoolBatch {
  /** Number of the first example. */
  readonly start: number;
  readonly size: number;
  /** `[size, ...]`: `waveform` and `frames` (bytes), or features. */
  readonly inputs: Readonly<Record<string, Float32Array | Uint8Array>>;
  /** `[size, labels]`: what is heard, and what is seen. */
  readonly audioTargets: Float32Array;
  readonly visualTargets: Float32Array;
}

/** A clip kept for re-use. */
interface PooledClip {
  readonly inputs: Readonly<Record<string, Float32Array | Uint8Array>>;
  readonly heard: Float32Array;
  readonly seen: Float32Array;
}

/** Where a drawn clip goes. */
interface Row {
  readonly inputs: Readonly<Record<string, Float32Array>>;
  readonly targets: Float32Array;
  readonly heard: Float32Array;
  readonly seen: Float32Array;
}

export interface PoolOptions {
  /** Size of the pictures of clips that are drawn with changes; nothing: clips are drawn as they are, as features must be. */
  readonly picture?: PictureSize;
  /** Examples kept; `POOL_CAPACITY` unless given. */
  readonly capacity?: number;
  /** Number of the first example that will be added; 0 unless given. */
  readonly first?: number;
  /** Every clip equally often, or every label. 'uniform' unless given. */
  readonly drawing?: 'uniform' | 'balanced';
}

/** Chooses a clip by numbers in [0, 1). */
type Chooser = (next: () => number) => PooledClip;

/**
 * A sliding window over an endless stream of composed examples. Each step takes in fresh ones and draws its batch from the
 * window, with changes that cost little: every example is seen a few times, never twice alike. What a step draws depends on
 * (seed, step) and the stream alone.
 */
export class ExamplePool {
  readonly #clips: PooledClip[] = [];
  #next: number;
  readonly #seed: number;
  readonly #picture: PictureSize | undefined;
  readonly #drawing: 'uniform' | 'balanced';
  readonly #capacity: number;
  #drawn: TrainingBatch | undefined;

  constructor(seed: number, options: PoolOptions = {}) {
    const { first = 0, drawing = 'uniform', capacity = POOL_CAPACITY, picture } = options;
    this.#seed = seed;
    this.#picture = picture;
    this.#drawing = drawing;
    this.#capacity = capacity;
    this.#next = first % capacity;
  }

  add(batch: PoolBatch): void {
    const rows = <T extends Float32Array | Uint8Array>(values: T, row: number) => {
      const each = values.length / batch.size;
      return values.subarray(row * each, (row + 1) * each) as T;
    };
    for (let row = 0; row < batch.size; row++) {
      this.#clips[this.#next] = {
        inputs: Object.fromEntries(Object.entries(batch.inputs).map(([name, values]) => [name, rows(values, row)])),
        heard: rows(batch.audioTargets, row),
        seen: rows(batch.visualTargets, row),
      };
      this.#next = (this.#next + 1) % this.#capacity;
    }
  }

  /** The batch of a step, which the next call overwrites. @throws RangeError when the pool is empty. */
  draw(step: number, size: number): TrainingBatch {
    const batch = this.#drawn?.size === size ? this.#drawn : this.#emptyBatch(size);
    // Megabytes a step: new ones each time would keep the garbage collector busier than the composing of clips.
    this.#drawn = batch;
    const { inputs } = batch;
    const row = (values: Float32Array, index: number) =>
      values.subarray((index * values.length) / size, ((index + 1) * values.length) / size);
    const choose = this.#chooser();
    const picture = this.#picture;
    for (let index = 0; index < size; index++) {
      const random = new CounterRandom(this.#seed, `pool/${step}/${index}`);
      const target: Row = {
        inputs: Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, row(values, index)])),
        targets: row(batch.targets, index),
        heard: row(batch.audioTargets, index),
        seen: row(batch.visualTargets, index),
      };
      if (picture === undefined) drawAsIs(choose, random, target);
      else drawClip((next) => asMedia(choose(next)), random, picture, asMediaRow(target));
    }
    return batch;
  }

  #emptyBatch(size: number): TrainingBatch {
    const first = this.#clips.find((clip) => clip !== undefined);
    if (first === undefined) throw new RangeError('the pool is empty; add examples before drawing');
    const sizes = Object.entries(first.inputs).map(([name, { length }]) => [name, size * length] as const);
    return {
      size,
      inputs: Object.fromEntries(sizes.map(([name, length]) => [name, new Float32Array(length)])),
      targets: new Float32Array(size * first.heard.length),
      audioTargets: new Float32Array(size * first.heard.length),
      visualTargets: new Float32Array(size * first.heard.length),
    };
  }

  /** How a clip is chosen by numbers in [0, 1). */
  #chooser(): Chooser {
    const clips = this.#clips;
    const at = (index: number): PooledClip => {
      const clip = clips[index];
      if (clip === undefined) throw new RangeError('cannot draw from an empty pool');
      return clip;
    };
    if (this.#drawing === 'uniform') return (next) => at(Math.floor(next() * clips.length));
    const sampler = new BalancedSampler(
      clips.map(({ heard, seen }) => heard.map((value, label) => Math.max(value, seen[label] ?? 0))),
    );
    return (next) => at(sampler.draw(next));
  }
}

/** A clip without any change. */
function drawAsIs(choose: Chooser, random: CounterRandom, row: Row): void {
  let index = 0;
  const clip = choose(() => random.uniform(index++));
  for (const [name, values] of Object.entries(row.inputs)) values.set(clip.inputs[name] ?? []);
  row.heard.set(clip.heard);
  row.seen.set(clip.seen);
  for (const label of row.targets.keys()) row.targets[label] = Math.max(clip.heard[label] ?? 0, clip.seen[label] ?? 0);
}

const ONLY_MEDIA = 'only clips of sound and pictures are drawn with changes; leave `picture` out';

function asMedia({ inputs: { waveform, frames }, heard, seen }: PooledClip): Clip {
  if (waveform instanceof Float32Array && frames instanceof Uint8Array) return { waveform, frames, heard, seen };
  throw new RangeError(ONLY_MEDIA);
}

function asMediaRow({ inputs: { waveform, frames }, ...targets }: Row): ClipRow {
  if (waveform && frames) return { waveform, frames, ...targets };
  throw new RangeError(ONLY_MEDIA);
}
