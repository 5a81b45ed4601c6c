import { type AxisSize, isBatchAxis, OnnxError, type ValueType } from '@faultline/onnx';

/** A value of the graph with its type. A gradient may keep size 1 on axes where the value it belongs to is larger. */
export interface Value extends ValueType {
  readonly name: string;
}

export type Dims = readonly AxisSize[];

export const sameSize = (a: AxisSize, b: AxisSize): boolean =>
  isBatchAxis(a) ? isBatchAxis(b) && a.batch === b.batch : a === b;

export const sameDims = (a: Dims, b: Dims): boolean =>
  a.length === b.length && a.every((size, axis) => sameSize(size, b[axis] ?? 0));

/** Text of a shape for messages and keys: `[8*batch, 3]`. */
export const describeDims = (dims: Dims): string =>
  `[${dims.map((size) => (isBatchAxis(size) ? `${size.batch}*batch` : size)).join(', ')}]`;

/** The size of an axis that must not follow the batch. */
export function fixedSize(dims: Dims, axis: number, what: string): number {
  const size = dims[axis];
  if (size === undefined) throw new OnnxError(`${what}: a value of shape ${describeDims(dims)} has no axis ${axis}`);
  if (isBatchAxis(size)) {
    throw new OnnxError(`${what}: axis ${axis} of ${describeDims(dims)} follows the batch; it must be of fixed size`);
  }
  return size;
}

/** Number of elements along some axes; at most one of them may follow the batch. */
export function product(sizes: Dims): AxisSize {
  let fixed = 1;
  let following = false;
  for (const size of sizes) {
    if (isBatchAxis(size)) {
      if (following)
        throw new OnnxError(`shape ${describeDims(sizes)}: two axes that follow the batch cannot be merged`);
      following = true;
      fixed *= size.batch;
    } else fixed *= size;
  }
  return following ? { batch: fixed } : fixed;
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
