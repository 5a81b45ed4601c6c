/** Multiples of the golden ratio spread evenly over [0, 1). */
const GOLDEN_RATIO = 0.6180339887498949;

/** Irregular numbers in [0, 1) for a tensor, the same at every call. */
export function spread(dims: readonly number[]): Float32Array {
  const data = new Float32Array(dims.reduce((count, size) => count * size, 1));
  for (let i = 0; i < data.length; i++) data[i] = (i * GOLDEN_RATIO) % 1;
  return data;
}
