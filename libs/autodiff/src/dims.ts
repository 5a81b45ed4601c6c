import { type AxisSize, axisSizeOf, isBatchAxis, OnnxError, sizesInRuns, type ValueType } from '@faultline/onnx';

/** A value of the graph with its type. A gradient may keep size 1 on axes where the value it belongs to is larger. */
export interface Value extends ValueType {
  readonly name: string;
}

export type Dims = readonly AxisSize[];

export const sameSize = (a: AxisSize, b: AxisSize): boolean => describeSize(a) === describeSize(b);

/** Text of an axis size for messages and keys: `3`, `8*batch`, or the sizes seen of an axis that follows another. */
export const describeSize = (size: AxisSize): string => {
  if (!isBatchAxis(size)) return String(size);
  return size.sizes === undefined ? `${size.batch}*batch` : `dynamic(${size.sizes.join('|')})`;
};

/** The size that several axes have together by an operation on their sizes. */
export function combined(sizes: Dims, apply: (sizes: readonly number[]) => number): AxisSize {
  const runs = Math.max(2, ...sizes.map((size) => (isBatchAxis(size) ? (size.sizes?.length ?? 0) : 0)));
  const seen = sizes.map((size) => sizesInRuns(size, runs));
  return axisSizeOf(Array.from({ length: runs }, (_, run) => apply(seen.map((one) => one[run] ?? 0))));
}

/** An axis grown by so many elements. */
export const grown = (size: AxisSize, by: number): AxisSize => combined([size], ([one = 0]) => one + by);

export const sameDims = (a: Dims, b: Dims): boolean =>
  a.length === b.length && a.every((size, axis) => sameSize(size, b[axis] ?? 0));

/** Text of a shape for messages and keys: `[8*batch, 3]`. */
export const describeDims = (dims: Dims): string => `[${dims.map(describeSize).join(', ')}]`;

/** The size of an axis that must not follow the batch. */
export function fixedSize(dims: Dims, axis: number, what: string): number {
  const size = dims[axis];
  if (size === undefined) throw new OnnxError(`${what}: a value of shape ${describeDims(dims)} has no axis ${axis}`);
  if (isBatchAxis(size)) {
    throw new OnnxError(
      `${what}: axis ${axis} of ${describeDims(dims)} follows the batch or another axis; it must be of fixed size`,
    );
  }
  return size;
}

/** Number of elements along some axes; at most one of them may follow the batch. */
export function product(sizes: Dims): AxisSize {
  if (sizes.filter((size) => isBatchAxis(size) && size.sizes === undefined).length > 1)
    throw new OnnxError(`shape ${describeDims(sizes)}: two axes that follow the batch cannot be merged`);
  return combined(sizes, (all) => all.reduce((total, size) => total * size, 1));
}

/** Shape of an elementwise operation of two values. */
export function broadcastDims(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis): AxisSize => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    if (left === 1 || sameSize(left, right)) return right;
    if (right === 1) return left;
    throw new OnnxError(`shapes ${describeDims(a)} and ${describeDims(b)} do not broadcast`);
  });
}

/** Axes as non-negative numbers. */
export const normalAxes = (axes: readonly number[], rank: number): number[] =>
  axes.map((axis) => (axis < 0 ? axis + rank : axis));

/** 0 .. count - 1, or start .. end - 1. */
export const range = (start: number, end: number): number[] =>
  Array.from({ length: Math.max(0, end - start) }, (_, index) => start + index);
