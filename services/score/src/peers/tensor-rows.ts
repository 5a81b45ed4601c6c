import { type common, type DenseTensor, decodeTensor, encodeTensor } from '@faultline/contracts';

/** The inputs of one clip, by name, without a batch axis. Frames stay uint8 until something changes them. */
export type ClipInputs = ReadonlyMap<string, DenseTensor<Float32Array | Uint8Array>>;

const MAX_PIXEL = 255;

/** Each pixel value divided by 255 and rounded to float32. */
const UNIT_PIXELS = Float32Array.from({ length: MAX_PIXEL + 1 }, (_, value) => value / MAX_PIXEL);

/** The values that a victim computes with: float32, uint8 pixels divided by 255. */
export function toFloat32(data: Float32Array | Uint8Array): Float32Array {
  if (data instanceof Float32Array) return data;
  const values = new Float32Array(data.length);
  for (let index = 0; index < data.length; index += 1) values[index] = UNIT_PIXELS[data[index] ?? 0] ?? 0;
  return values;
}

/** Joins rows of one shape and type to a batch, [rows, ...]. Float32 where any row is. */
export function stackRows(rows: readonly DenseTensor<Float32Array | Uint8Array>[]): DenseTensor {
  const first = rows[0];
  if (first === undefined) throw new RangeError('a batch needs at least one row');
  const size = first.data.length;
  const bytes = rows.every((row) => row.data instanceof Uint8Array);
  const data = bytes ? new Uint8Array(size * rows.length) : new Float32Array(size * rows.length);
  for (const [index, row] of rows.entries()) {
    if (row.data.length !== size) throw new RangeError(`row ${index} has ${row.data.length} elements, not ${size}`);
    data.set(bytes ? row.data : toFloat32(row.data), index * size);
  }
  return { dims: [rows.length, ...first.dims], data };
}

/** A batch of clips on the wire: one named tensor an input, in the order of `names`. */
export function batchInputs(clips: readonly ClipInputs[], names: readonly string[]): common.NamedTensor[] {
  return names.map((name) => {
    const rows = clips.map((clip) => {
      const row = clip.get(name);
      if (row === undefined) throw new RangeError(`a clip has no input '${name}'`);
      return row;
    });
    return { name, tensor: encodeTensor(stackRows(rows)) };
  });
}

/**
 * Rows of a received float32 batch, as views without a batch axis.
 * @throws RangeError when it is not float32 or has not this many rows.
 */
export function float32Rows(tensor: common.Tensor | undefined, rows: number, what: string): Float32Array[] {
  if (tensor === undefined) throw new RangeError(`${what} is missing`);
  const { dims, data } = decodeTensor(tensor);
  if (!(data instanceof Float32Array)) throw new RangeError(`${what} is not float32`);
  if (dims[0] !== rows) throw new RangeError(`${what} has ${dims[0] ?? 0} rows, not ${rows}`);
  const size = rows === 0 ? 0 : data.length / rows;
  return Array.from({ length: rows }, (_, row) => data.subarray(row * size, (row + 1) * size));
}
