import type { ExampleBatch } from '@faultline/dataset';
import { CounterRandom, type TrainingBatch } from '@faultline/training';
import { type Clip, drawClip, type PictureSize } from './augment.ts';

/** Composed examples kept for re-use; a fresh one replaces the oldest. */
const CAPACITY = 6144;

/**
 * A sliding window over an endless stream of composed examples. Each step takes in fresh ones and draws its batch from the
 * window, with changes that cost little: every example is seen a few times, never twice alike. What a step draws depends on
 * (seed, step) and the stream alone.
 */
export class ExamplePool {
  readonly #clips: Clip[] = [];
  #next = 0;
  readonly #seed: number;
  readonly #picture: PictureSize;

  constructor(seed: number, picture: PictureSize) {
    this.#seed = seed;
    this.#picture = picture;
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
      this.#next = (this.#next + 1) % CAPACITY;
    }
  }

  /** The batch of a step. @throws RangeError when the pool is empty. */
  draw(step: number, size: number): TrainingBatch {
    const [first] = this.#clips;
    if (first === undefined) throw new RangeError('the pool is empty; add examples before drawing');
    const batch = {
      size,
      waveform: new Float32Array(size * first.waveform.length),
      frames: new Float32Array(size * first.frames.length),
      targets: new Float32Array(size * first.heard.length),
      audioTargets: new Float32Array(size * first.heard.length),
      visualTargets: new Float32Array(size * first.heard.length),
    };
    const row = (values: Float32Array, index: number) =>
      values.subarray((index * values.length) / size, ((index + 1) * values.length) / size);
    for (let index = 0; index < size; index++) {
      const random = new CounterRandom(this.#seed, `pool/${step}/${index}`);
      drawClip(this.#clips, random, this.#picture, {
        waveform: row(batch.waveform, index),
        frames: row(batch.frames, index),
        targets: row(batch.targets, index),
        heard: row(batch.audioTargets, index),
        seen: row(batch.visualTargets, index),
      });
    }
    return batch;
  }
}
