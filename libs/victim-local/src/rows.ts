import type { DenseTensor } from '@faultline/contracts';

const PIXEL_LEVELS = 255;

/** A float32 tensor whose first axis is the batch. */
export type Rows = DenseTensor<Float32Array>;

/** float32 rows as they are; uint8 pixels divided by 255. */
export function toFloatRows(name: string, tensor: DenseTensor): Rows {
  if (tensor.data instanceof Float32Array) return { dims: tensor.dims, data: tensor.data };
  if (tensor.data instanceof Uint8Array) {
    const data = new Float32Array(tensor.data.length);
    for (let i = 0; i < data.length; i++) data[i] = (tensor.data[i] ?? 0) / PIXEL_LEVELS;
    return { dims: tensor.dims, data };
  }
  throw new RangeError(`'${name}' must be float32, or uint8 pixels`);
}

/** Picks groups of rows: output group i is input group `indices[i]`; a group is `rowsPerIndex` rows. */
export function gatherRows(tensor: Rows, indices: readonly number[], rowsPerIndex = 1): Rows {
  const [rows = 0, ...rest] = tensor.dims;
  const size = rest.reduce((product, axis) => product * axis, rowsPerIndex);
  const data = new Float32Array(indices.length * size);
  for (const [position, index] of indices.entries()) {
    if (index < 0 || (index + 1) * rowsPerIndex > rows)
      throw new RangeError(`row ${index} is outside a batch of ${rows / rowsPerIndex}`);
    data.set(tensor.data.subarray(index * size, (index + 1) * size), position * size);
  }
  return { dims: [indices.length * rowsPerIndex, ...rest], data };
}

/** Whether gathering by these indices would change nothing. */
export const isIdentity = (indices: readonly number[], length: number): boolean =>
  indices.length === length && indices.every((index, position) => index === position);
