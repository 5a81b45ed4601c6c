import type { ExampleBatch } from '@faultline/dataset';
import { BalancedSampler, CounterRandom, type TrainingBatch } from '@faultline/training';
import { type Clip, type ClipRow, drawClip, type PictureSize } from './augment.ts';

/** Composed examples kept for re-use; a fresh one replaces the oldest. */
export const POOL_CAPACITY = 6144;

export interface PoolOptions {
  /** Index of the first example that will be added; 0 unless given. */
  readonly first?: number;
  /** Every clip equally often, or every label. 'uniform' unless given. */
  readonly drawing?: 'uniform' | 'balanced';
}

/**
 * A sliding window over an endless stream of composed examples. Each step takes in fresh ones and draws its batch from the
 * window, with changes that cost little: every example is seen a few times, never twice alike. What a step draws depends on
 * (seed, step) and the stream alone.
 */
export class ExamplePool {
  readonly #clips: Clip[] = [];
  #next: number;
  readonly #seed: number;
  readonly #picture: PictureSize;
  readonly #drawing: 'uniform' | 'balanced';

  constructor(seed: number, picture: PictureSize, { first = 0, drawing = 'uniform' }: PoolOptions = {}) {
    this.#seed = seed;
    this.#picture = picture;
    this.#drawing = drawing;
    this.#next = first % POOL_CAPACITY;
  }

  add(batch: ExampleBatch): void {
    const rows = <T extends Float32Array | Uint8Array>(values: T, row: number) => {
      const each = values.length / batch.size;
      return values.subarray(row * each, (row + 1) * each) as T;
    };
    for (let row = 0; row < batch.size; row++) {
      this.#clips[this.#next] = {
        waveform: rows(batch.waveform, row),
        frames: rows(batch.frames, row),
        heard: rows(batch.audioTargets, row),
        seen: rows(batch.visualTargets, row),
      };
      this.#next = (this.#next + 1) % POOL_CAPACITY;
    }
  }

  /** The batch of a step. @throws RangeError when the pool is empty. */
  draw(step: number, size: number): TrainingBatch {
    const first = this.#clips.find((clip) => clip !== undefined);
    if (first === undefined) throw new RangeError('the pool is empty; add examples before drawing');
    const inputs = {
      waveform: new Float32Array(size * first.waveform.length),
      frames: new Float32Array(size * first.frames.length),
    };
    const batch = {
      size,
      inputs,
      targets: new Float32Array(size * first.heard.length),
      audioTargets: new Float32Array(size * first.heard.length),
      visualTargets: new Float32Array(size * first.heard.length),
    };
    const row = (values: Float32Array, index: number) =>
      values.subarray((index * values.length) / size, ((index + 1) * values.length) / size);
    const choose = this.#chooser();
    for (let index = 0; index < size; index++) {
      const random = new CounterRandom(this.#seed, `pool/${step}/${index}`);
      const target: ClipRow = {
        waveform: row(inputs.waveform, index),
        frames: row(inputs.frames, index),
        targets: row(batch.targets, index),
        heard: row(batch.audioTargets, index),
        seen: row(batch.visualTargets, index),
      };
      drawClip(choose, random, this.#picture, target);
    }
    return batch;
  }

  /** How a clip is chosen by numbers in [0, 1). */
  #chooser(): (next: () => number) => Clip {
    const clips = this.#clips;
    const at = (index: number): Clip => {
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
