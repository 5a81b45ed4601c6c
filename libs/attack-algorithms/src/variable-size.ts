import { type BudgetMeasure, perturbationSize } from '@faultline/metrics';
import type { AttackVariable, NormName } from './attack.ts';
import { type CleanSize, inwardEpsilon, vectorNorm } from './float32-bounds.ts';

/** How a variable's perturbation is measured; `common`: the norm of variables that have none of their own. */
export const measureOf = ({ norm, frameSize, weighted }: AttackVariable, common: NormName): BudgetMeasure => ({
  norm: norm ?? common,
  frameSize,
  weighting: weighted?.weighting,
});

/**
 * What is left of budgets of weighted coefficients: float32 sums of 2 hop products err by far less where weights are alike. Where they are not, no useful bound on the error
 * exists, and points are trimmed (`trimmed`).
 */
const WEIGHTED_SHARE = 1 - 2 ** -10;

/** How far the clean value of a tap may move, as a share of its norm, when the victim computes it in a batch of another size; measured: below 1e-6. */
const TAP_REPEATABILITY = 2 ** -20;

/** The epsilon to hand to programs for a budget `epsilon` of a variable, rounded inward. */
export function budgetOf(variable: AttackVariable, common: NormName, epsilon: number, clean: CleanSize): number {
  if (variable.weighted !== undefined) return Math.fround(epsilon * WEIGHTED_SHARE);
  const spared = variable.isTap === true ? TAP_REPEATABILITY * clean.norm : 0;
  return inwardEpsilon(variable.norm ?? common, Math.max(0, epsilon - spared), clean);
}

/** Rounds of trimming; each but the first has a rounding error to take off. */
const TRIM_ROUNDS = 4;

/**
 * A point [...dims] of a variable of weighted coefficients within its budget in float64: itself where it is, else closer to the clean point, which rounding to float32 does
 * not take out of the range; in the end the clean point.
 */
export function trimmed(
  point: Float32Array,
  clean: Float32Array,
  measure: BudgetMeasure,
  epsilon: number,
): Float32Array {
  let share = 1;
  for (let round = 0; round < TRIM_ROUNDS; round += 1) {
    const here = share === 1 ? point : point.map((value, i) => (clean[i] ?? 0) + share * (value - (clean[i] ?? 0)));
    const size = perturbationSize(here, clean, measure);
    if (size <= epsilon) return here;
    share *= (epsilon / size) * WEIGHTED_SHARE;
  }
  return clean;
}

/** Size of one example of a variable [...dims] as its budget measures it: that of its largest frame where there are frames. */
export function cleanSize(variable: AttackVariable, common: NormName, vector: Float32Array | Uint8Array): CleanSize {
  const { norm = common, frameSize = Math.max(1, vector.length) } = variable;
  let largest = 0;
  for (let first = 0; first < vector.length; first += frameSize) {
    largest = Math.max(largest, vectorNorm(norm, vector.subarray(first, first + frameSize)));
  }
  return { elements: frameSize, norm: largest };
}
