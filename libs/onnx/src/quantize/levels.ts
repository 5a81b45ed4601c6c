import { elementCount, float32, floats, type Tensor } from '../tensor.ts';

/** Lowest and highest number that a value's levels stand for. */
export interface LevelRange {
  readonly low: number;
  readonly high: number;
}

/** (level - zeroPoint) x scale is the number. */
export interface Levels {
  readonly scale: Tensor;
  readonly zeroPoint: Tensor;
}

/** Highest level of unsigned bytes. */
export const HIGHEST_LEVEL = 255;

/**
 * Levels of weights reach from -63 to 63: seven of the eight bits. Processors with AVX2 alone add two products of bytes in 16
 * bits, where 255 x 127 x 2 would be cut off silently: with seven bits every processor computes the same.
 */
const HIGHEST_WEIGHT_LEVEL = 63;

/** The byte levels of a range: 0 is one of them, so that padding and silence stay exact. */
export function levelsOf({ low, high }: LevelRange): Levels {
  const [from, to] = [Math.min(0, low), Math.max(0, high)];
  // A value that is always 0 needs any scale but 0.
  const scale = Math.fround((to - from) / HIGHEST_LEVEL || 1);
  const zero = Math.min(HIGHEST_LEVEL, Math.max(0, Math.round(-from / scale)));
  return {
    scale: float32([scale], []),
    zeroPoint: { dataType: 'uint8', dims: [], data: Uint8Array.of(zero) },
  };
}

/** Weights as symmetric signed levels, with a scale for each slice along an axis. */
export interface WeightLevels {
  readonly levels: Tensor;
  /** [slices] */
  readonly scales: Tensor;
}

export function weightLevels(weight: Tensor, axis: number): WeightLevels {
  const values = floats(weight);
  const slices = weight.dims[axis] ?? 1;
  const inner = elementCount(weight.dims.slice(axis + 1));
  const sliceOf = (index: number) => Math.floor(index / inner) % slices;
  const largest = new Float64Array(slices);
  for (const [index, value] of values.entries()) {
    const slice = sliceOf(index);
    largest[slice] = Math.max(largest[slice] ?? 0, Math.abs(value));
  }
  const scales = Float32Array.from(largest, (value) => value / HIGHEST_WEIGHT_LEVEL || 1);
  const levels = Int8Array.from(values, (value, index) => Math.round(value / (scales[sliceOf(index)] ?? 1)));
  return { levels: { dataType: 'int8', dims: weight.dims, data: levels }, scales: float32(scales) };
}

/** A bias as levels of 32 bits whose scales are the products of the input's scale and the weights'. */
export function biasLevels(bias: Tensor, inputScale: Tensor, weightScales: Tensor): WeightLevels {
  const [scale = 1] = floats(inputScale);
  const scales = Float32Array.from(floats(weightScales), (value) => value * scale);
  const levels = Int32Array.from(floats(bias), (value, index) => Math.round(value / (scales[index] ?? 1)));
  return { levels: { dataType: 'int32', dims: bias.dims, data: levels }, scales: float32(scales) };
}
