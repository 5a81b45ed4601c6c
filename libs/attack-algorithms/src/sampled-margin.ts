import { type GoalSetting, goalMargin } from './goals.ts';
import { ProgramBuilder } from './program-builder.ts';

/** A program in which each sample of an example stands for an example of its own, as far as logits, targets and parameters go. */
export class SampleRows extends ProgramBuilder {
  readonly #samples: number;
  readonly #slots: readonly string[];
  readonly #rows = new Map<string, string>();

  /** @param slots those that are read by rows: all that objectives read; step programs want parameters by example. */
  constructor(
    samples: number,
    slots: readonly string[] = ['logits', 'targets', 'param/temperature', 'state/stepSize'],
  ) {
    super();
    this.#samples = samples;
    this.#slots = slots;
  }

  override read(slot: string, dims: readonly number[] = []): string {
    if (!this.#slots.includes(slot)) return super.read(slot, dims);
    const known = this.#rows.get(slot);
    if (known !== undefined) return known;
    const all = slot === 'logits' ? this.#logits(dims) : this.#repeated(slot, dims);
    const rows = this.reshape(all, [-1, ...dims]);
    this.#rows.set(slot, rows);
    return rows;
  }

  #logits(dims: readonly number[]): string {
    return super.read('logits', [this.#samples, ...dims]);
  }

  /** The same for every sample. */
  #repeated(slot: string, dims: readonly number[]): string {
    const data = new Float32Array(this.#samples).fill(1);
    const repeats = this.constant({ dataType: 'float32', dims: [1, this.#samples, ...dims.map(() => 1)], data });
    return this.times(this.reshape(super.read(slot, dims), [-1, 1, ...dims]), repeats);
  }
}

/** Objective program: the goal's exact margin of every sample, [examples, samples]. */
export function sampledMargin(setting: GoalSetting, samples: number): Uint8Array {
  const b = new SampleRows(samples);
  b.write('loss', b.reshape(goalMargin(b, setting), [-1, samples]), [samples]);
  return b.bytes('sampled-margin');
}
