import { type PerturbationNorms, perturbationNorms } from './perturbation.ts';

/** How the size of a variable's perturbation is measured. */
export interface BudgetMeasure {
  readonly norm: keyof PerturbationNorms;
  /** Coordinates of a frame, where the size is that of the largest frame; the last one may be shorter. Default: all coordinates together. */
  readonly frameSize?: number | undefined;
}

/**
 * Size of (point - clean) as a budget measures it, in float64. Not a number when an element is not.
 * @throws RangeError when the lengths differ.
 */
export function perturbationSize(point: Float32Array, clean: Float32Array, measure: BudgetMeasure): number {
  const { norm, frameSize = Math.max(1, point.length) } = measure;
  if (point.length !== clean.length) {
    throw new RangeError(`point has ${point.length} elements but its clean point ${clean.length}`);
  }
  let largest = 0;
  for (let first = 0; first < point.length; first += frameSize) {
    const end = first + frameSize;
    largest = Math.max(largest, perturbationNorms(point.subarray(first, end), clean.subarray(first, end))[norm]);
  }
  return largest;
}
