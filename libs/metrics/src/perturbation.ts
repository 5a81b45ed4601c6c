/** Size of a perturbation, measured in float64 between two float32 points. */
export interface PerturbationNorms {
  /** Largest absolute difference. */
  readonly linf: number;
  /** Euclidean length of the difference over all coordinates. */
  readonly l2: number;
  /** Sum of absolute differences. */
  readonly l1: number;
  /** Number of coordinates that differ. */
  readonly l0: number;
}

function requireSameLength(point: ArrayLike<number>, clean: ArrayLike<number>): void {
  if (point.length !== clean.length) {
    throw new RangeError(`point has ${point.length} elements but its clean point ${clean.length}`);
  }
}

/**
 * L-inf, L2, L1 and L0 norm of (point - clean), computed in float64 from the elements. Not a number when an element is not.
 * @throws RangeError when the lengths differ.
 */
export function perturbationNorms(point: ArrayLike<number>, clean: ArrayLike<number>): PerturbationNorms {
  requireSameLength(point, clean);
  let linf = 0;
  let squares = 0;
  let l1 = 0;
  let l0 = 0;
  for (let index = 0; index < point.length; index += 1) {
    const difference = (point[index] ?? Number.NaN) - (clean[index] ?? Number.NaN);
    linf = Math.max(linf, Math.abs(difference));
    squares += difference * difference;
    l1 += Math.abs(difference);
    if (difference !== 0) l0 += 1;
  }
  return { linf, l2: Math.sqrt(squares), l1, l0 };
}

/** Decibels of a power ratio; null where the ratio is 0 or infinite (a silent clip, no perturbation). */
function decibels(powerRatio: number): number | null {
  return powerRatio > 0 && Number.isFinite(powerRatio) ? 10 * Math.log10(powerRatio) : null;
}

/**
 * Signal-to-noise ratio in dB: 10 log10(sum clean^2 / sum (point - clean)^2). Null for a silent clip or no perturbation.
 * @throws RangeError when the lengths differ.
 */
export function signalToNoiseDb(point: Float32Array, clean: Float32Array): number | null {
  const { l2 } = perturbationNorms(point, clean);
  const length = perturbationNorms(clean, new Float32Array(clean.length)).l2;
  return decibels((length / l2) ** 2);
}

/**
 * Peak signal-to-noise ratio in dB: 10 log10(peak^2 / mean (point - clean)^2). Null without a perturbation.
 * @param peak largest possible value of an element: 1 for pixels in [0, 1].
 * @throws RangeError when the lengths differ.
 */
export function peakSignalToNoiseDb(point: Float32Array, clean: Float32Array, peak = 1): number | null {
  const { l2 } = perturbationNorms(point, clean);
  return decibels((peak * peak * clean.length) / (l2 * l2));
}

/**
 * The first element that is outside [low, high] or not a number, or undefined when all are inside. Where its clean value is outside, an element
 * may be anywhere from there to the range.
 */
export function firstOutside(
  point: Float32Array,
  low: number,
  high: number,
  clean: Float32Array = point.subarray(0, 0),
): number | undefined {
  for (let index = 0; index < point.length; index += 1) {
    const value = point[index] ?? Number.NaN;
    const [lowest, highest] = [Math.min(low, clean[index] ?? low), Math.max(high, clean[index] ?? high)];
    if (!(value >= lowest && value <= highest)) return index;
  }
  return undefined;
}
