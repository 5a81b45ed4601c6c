import { OrtTensor } from '@faultline/ort';
import type { NoiseSlot } from '@faultline/victim';
import { fillNoise } from './noise.ts';

/** The noise of a loop's present examples. */
export class LoopNoise {
  readonly #slots: readonly NoiseSlot[];
  /** Memory of the last draw; sessions are done with it when the next is made. */
  readonly #memory = new Map<string, Float32Array>();
  #keys: readonly bigint[];

  constructor(slots: readonly NoiseSlot[], keys: readonly bigint[]) {
    this.#slots = slots;
    this.#keys = keys;
  }

  keep(examples: readonly number[]): void {
    this.#keys = examples.map((index) => this.#keys[index] ?? 0n);
    this.#memory.clear();
  }

  /** Draws of a restart for its init program, [examples, ...dims]. */
  atRestart(wanted: ReadonlySet<string>, restart: number): Map<string, OrtTensor> {
    return this.#draw(wanted, [], (values, key, { name, distribution }) =>
      fillNoise(values, key, { name, restart }, distribution),
    );
  }

  /** Draws of a step, [examples, ...dims], or [examples, samples, ...dims]. */
  atStep(
    wanted: ReadonlySet<string>,
    restart: number,
    step: number,
    samples: number | undefined,
  ): Map<string, OrtTensor> {
    const count = samples ?? 1;
    return this.#draw(wanted, samples === undefined ? [] : [samples], (values, key, { name, distribution }) => {
      const size = values.length / count;
      for (let sample = 0; sample < count; sample++) {
        const draw = values.subarray(sample * size, (sample + 1) * size);
        fillNoise(draw, key, { name, restart, evaluation: { step, sample } }, distribution);
      }
    });
  }

  #draw(
    wanted: ReadonlySet<string>,
    repeated: readonly number[],
    fill: (values: Float32Array, key: bigint, slot: NoiseSlot) => void,
  ): Map<string, OrtTensor> {
    const drawn = new Map<string, OrtTensor>();
    for (const slot of this.#slots) {
      if (!wanted.has(`noise/${slot.name}`)) continue;
      const dims = [...repeated, ...slot.dims];
      const size = dims.reduce((product, axis) => product * axis, 1);
      const known = this.#memory.get(slot.name);
      const values = known?.length === size * this.#keys.length ? known : new Float32Array(size * this.#keys.length);
      this.#memory.set(slot.name, values);
      for (const [example, key] of this.#keys.entries()) {
        fill(values.subarray(example * size, (example + 1) * size), key, slot);
      }
      drawn.set(`noise/${slot.name}`, new OrtTensor('float32', values, [this.#keys.length, ...dims]));
    }
    return drawn;
  }
}
