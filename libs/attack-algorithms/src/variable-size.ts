import type { BudgetMeasure } from '@faultline/metrics';
import type { AttackVariable, NormName } from './attack.ts';
import { type CleanSize, inwardEpsilon, vectorNorm } from './float32-bounds.ts';

/** How a variable's perturbation is measured; `common`: the norm of variables that have none of their own. */
export const measureOf = ({ norm, frameSize }: AttackVariable, common: NormName): BudgetMeasure => ({
  norm: norm ?? common,
  frameSize,
});

/** The epsilon to hand to programs for a budget `epsilon` of a variable, rounded inward. */
export const budgetOf = (variable: AttackVariable, common: NormName, epsilon: number, clean: CleanSize): number =>
  inwardEpsilon(variable.norm ?? common, epsilon, clean);

/** Size of one example of a variable [...dims] as its budget measures it: that of its largest frame where there are frames. */
export function cleanSize(variable: AttackVariable, common: NormName, vector: Float32Array | Uint8Array): CleanSize {
  const { norm = common, frameSize = Math.max(1, vector.length) } = variable;
  let largest = 0;
  for (let first = 0; first < vector.length; first += frameSize) {
    largest = Math.max(largest, vectorNorm(norm, vector.subarray(first, first + frameSize)));
  }
  return { elements: frameSize, norm: largest };
}
