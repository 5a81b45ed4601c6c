import { type DenseTensor, sliceRows } from '@faultline/contracts';
import { type Victim, verdictTolerance } from '@faultline/victim';
import type { ClipBatch } from '../strength/shipped-clips.ts';
import type { Point } from './problem.ts';

/** A victim with clips that it gets right, and the judgement that counts for all libraries alike. */
export class Case {
  readonly victim: Victim;
  readonly clips: ClipBatch;
  readonly thresholds: Float32Array;
  /** Every true label must be this far below its threshold. */
  readonly tolerance: number;

  private constructor(victim: Victim, clips: ClipBatch, thresholds: Float32Array, tolerance: number) {
    this.victim = victim;
    this.clips = clips;
    this.thresholds = thresholds;
    this.tolerance = tolerance;
  }

  static async of(victim: Victim, clips: ClipBatch): Promise<Case> {
    const { card } = await victim.describe();
    const thresholds = Float32Array.from(card.labels, ({ threshold }) => threshold);
    return new Case(victim, clips, thresholds, verdictTolerance(card));
  }

  get size(): number {
    return this.clips.labels.length;
  }

  /** float32 [clips, labels], 1 at the true labels. */
  get targets(): DenseTensor<Float32Array> {
    const count = this.thresholds.length;
    const data = new Float32Array(this.size * count);
    for (const [clip, active] of this.clips.labels.entries())
      for (const label of active) data[clip * count + label] = 1;
    return { dims: [this.size, count], data };
  }

  clean(clip: number): Point {
    return rowsOf(this.clips.inputs, clip);
  }

  /** Row `row` of what was changed, the clip's own inputs beside it. */
  point(clip: number, changed: ReadonlyMap<string, DenseTensor>, row: number): Point {
    return new Map([...this.clean(clip), ...rowsOf(changed, row)]);
  }

  /** Whether a fresh prediction of the unchanged victim finds none of the true labels. */
  async isOff(clip: number, point: Point): Promise<boolean> {
    const { logits } = await this.victim.predict(point);
    const heights = (this.clips.labels[clip] ?? []).map(
      (label) => (logits.data[label] ?? 0) - (this.thresholds[label] ?? 0),
    );
    return Math.max(...heights) <= -this.tolerance;
  }
}

const rowsOf = (tensors: ReadonlyMap<string, DenseTensor>, row: number): Map<string, DenseTensor> =>
  new Map(Array.from(tensors, ([name, tensor]) => [name, sliceRows(tensor, row, row + 1)]));
