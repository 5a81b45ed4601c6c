import type { NormName } from './attack.ts';

/** Unit roundoff of float32: a result differs from the exact one by at most this share of itself. */
const UNIT_ROUNDOFF = 2 ** -24;

/** Room for products of the bounds below, which are linear in the unit roundoff. */
const SECOND_ORDER = 1.01;

/** Square, square root, quotient, product with the scale, and the epsilon's own rounding, with some to spare. */
const SCALAR_ROUNDINGS = 8;

/**
 * Splits n coordinates in [blocks, block] with both near the square root of n, so that a sum in two stages makes few rounding
 * errors one after the other. Primes do not split: [1, n].
 */
export function blocksOf(elements: number): { readonly blocks: number; readonly block: number } {
  let blocks = Math.max(1, Math.floor(Math.sqrt(elements)));
  while (elements % blocks !== 0) blocks -= 1;
  return { blocks, block: elements / blocks };
}

/** Error of a norm's sum, as a share of the error of its squares or absolute values. */
const SUMMATION_SHARE = { linf: 0, l2: 0.5, l1: 1 } as const;

/** What rounding depends on: the clean example of one variable. */
export interface CleanSize {
  /** Number of coordinates; of those of a frame, where the budget holds in frames. */
  readonly elements: number;
  /** Norm of the clean example itself (not of a perturbation), in the norm of the budget; that of the largest frame. */
  readonly norm: number;
}

/**
 * The epsilon to hand to a float32 projection so that the float64 norm of (x - x0), both as float32 tensors, never exceeds
 * `epsilon`. The projections (projection.ts) end with x = x0 + delta in float32, which rounds each coordinate by at most
 * u |x|, u = 2^-24; in any norm that adds at most u (|x0| + epsilon). For L2 the length of delta is itself a float32 sum:
 * n terms in two stages of b and n / b summands err by at most (b + n / b) u in the square, whatever the order of summation,
 * half of it in the length; the sum of L1 has no root that halves it. A count is exact. (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., section 4.2.)
 * The result is itself rounded down to float32; 0 when nothing is left.
 */
export function inwardEpsilon(norm: NormName, epsilon: number, clean: CleanSize): number {
  const { blocks, block } = blocksOf(clean.elements);
  if (norm === 'l0') return Math.floor(epsilon);
  const summation = SUMMATION_SHARE[norm] * (blocks + block);
  const relative = (summation + SCALAR_ROUNDINGS) * UNIT_ROUNDOFF * SECOND_ORDER;
  const absolute = (clean.norm + epsilon) * UNIT_ROUNDOFF * SECOND_ORDER;
  return Math.max(0, Math.fround((epsilon - absolute) * (1 - relative) * (1 - UNIT_ROUNDOFF)));
}

type Vector = Float32Array | Float64Array | Uint8Array;

/** By index: an iterator takes several times as long. */
const NORMS: Readonly<Record<NormName, (vector: Vector) => number>> = {
  linf(vector) {
    let largest = 0;
    for (let index = 0; index < vector.length; index++) {
      const size = Math.abs(vector[index] ?? 0);
      // Nothing is greater than what is no number.
      if (!(size <= largest) && !Number.isNaN(largest)) largest = size;
    }
    return largest;
  },
  l2(vector) {
    let squares = 0;
    for (let index = 0; index < vector.length; index++) squares += (vector[index] ?? 0) ** 2;
    return Math.sqrt(squares);
  },
  l1(vector) {
    let sum = 0;
    for (let index = 0; index < vector.length; index++) sum += Math.abs(vector[index] ?? 0);
    return sum;
  },
  l0(vector) {
    let count = 0;
    for (let index = 0; index < vector.length; index++) if (Math.abs(vector[index] ?? 0) > 0) count += 1;
    return count;
  },
};

/** Norm of a vector in float64, of its floating or (divided by 255) uint8 elements; NaN where an element is none, but for a count. */
export function vectorNorm(norm: NormName, vector: Vector): number {
  const unit = norm !== 'l0' && vector instanceof Uint8Array ? 1 / 255 : 1;
  return unit * NORMS[norm](vector);
}
