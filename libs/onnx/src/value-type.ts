import type { DataType } from './tensor.ts';

/** Batch sizes of the first two runs of a dry run; further runs are at the first one. */
export const DRY_RUN_BATCHES = [2, 3] as const;

/** An axis that is not of fixed size: it grows with the batch, or with another axis of the inputs. */
export interface BatchAxis {
  /** The size is `batch` x the number of examples; 0 where it follows another axis than the batch. */
  readonly batch: number;
  /** Where it follows another axis: its sizes in the runs of the dry run. Axes of equal lists are of equal size. */
  readonly sizes?: readonly number[];
}

/** An axis size: fixed, or a multiple of the number of examples, or following other axes of the inputs. */
export type AxisSize = number | BatchAxis;

/** What is known of a value without running the graph again. */
export interface ValueType {
  readonly dataType: DataType;
  readonly dims: readonly AxisSize[];
}

/** Whether an axis follows the batch, or another axis of the inputs. */
export const isBatchAxis = (size: AxisSize): size is BatchAxis => typeof size !== 'number';

/** The axis size that was seen in the runs of a dry run: at two batch sizes, then at a second size of each further axis. */
export function axisSizeOf(seen: readonly number[]): AxisSize {
  const [small = 0, large = small] = seen;
  const others = seen.slice(DRY_RUN_BATCHES.length);
  if (others.every((size) => size === small)) {
    if (small === large) return small;
    const batch = large - small;
    if (small === batch * DRY_RUN_BATCHES[0]) return { batch };
  }
  return { batch: 0, sizes: seen };
}

/** The sizes that an axis has in `runs` runs of a dry run. */
export function sizesInRuns(size: AxisSize, runs: number): readonly number[] {
  if (!isBatchAxis(size)) return new Array<number>(runs).fill(size);
  if (size.sizes !== undefined) return size.sizes;
  return Array.from({ length: runs }, (_, run) => size.batch * (run === 1 ? DRY_RUN_BATCHES[1] : DRY_RUN_BATCHES[0]));
}
