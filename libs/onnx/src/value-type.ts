import type { DataType } from './tensor.ts';

/** An axis that grows with the batch: its size is `batch` x the number of examples. */
export interface BatchAxis {
  readonly batch: number;
}

/** An axis size: fixed, or a multiple of the number of examples. */
export type AxisSize = number | BatchAxis;

/** What is known of a value without running the graph again. */
export interface ValueType {
  readonly dataType: DataType;
  readonly dims: readonly AxisSize[];
}

/** Whether an axis follows the batch. */
export const isBatchAxis = (size: AxisSize): size is BatchAxis => typeof size !== 'number';
