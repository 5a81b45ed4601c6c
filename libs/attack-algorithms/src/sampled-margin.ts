import { type GoalSetting, goalMargin } from './goals.ts';
import { ProgramBuilder } from './program-builder.ts';

/** A program in which each sample of an example stands for an example of its own, as far as logits and targets go. */
class SampleRows extends ProgramBuilder {
  readonly #samples: number;
  readonly #rows = new Map<string, string>();

  constructor(samples: number) {
    super();
    this.#samples = samples;
  }

  override read(slot: string, dims: readonly number[] = []): string {
    if (slot !== 'logits' && slot !== 'targets') return super.read(slot, dims);
    const known = this.#rows.get(slot);
    if (known !== undefined) return known;
    const rows = this.reshape(slot === 'logits' ? this.#logits(dims) : this.#targets(dims), [-1, ...dims]);
    this.#rows.set(slot, rows);
    return rows;
  }

  #logits(dims: readonly number[]): string {
    return super.read('logits', [this.#samples, ...dims]);
  }

  #targets(dims: readonly number[]): string {
    const ones = new Float32Array(this.#samples).fill(1);
    const repeats = this.constant({ dataType: 'float32', dims: [1, this.#samples, 1], data: ones });
    return this.times(this.reshape(super.read('targets', dims), [-1, 1, ...dims]), repeats);
  }
}

/** Objective program: the goal's exact margin of every sample, [examples, samples]. */
export function sampledMargin(setting: GoalSetting, samples: number): Uint8Array {
  const b = new SampleRows(samples);
  b.write('loss', b.reshape(goalMargin(b, setting), [-1, samples]), [samples]);
  return b.bytes('sampled-margin');
}
