/** How far and where a variable may move. */
export interface MovingVariable {
  readonly name: string;
  /** Budget at scale 1, in the unit of the variable. */
  readonly rho: number;
  readonly low: number;
  readonly high: number;
}

/** Norm of a direction that is steepest: that of L-inf budgets, or that of L2 budgets, which serves for the others too. */
export type DirectionNorm = 'linf' | 'l2';

/** Length of a gradient as its norm's dual: how fast the loss falls along the steepest direction of length 1. */
export function dualLength(gradient: Float32Array, norm: DirectionNorm): number {
  let sum = 0;
  for (const slope of gradient) sum += norm === 'linf' ? Math.abs(slope) : slope * slope;
  return norm === 'linf' ? sum : Math.sqrt(sum);
}

/** The point moved down its gradient by a budget, kept in the range. A zero gradient moves nothing. */
export function steepestPoint(
  point: Float32Array,
  gradient: Float32Array,
  budget: number,
  { low, high }: Pick<MovingVariable, 'low' | 'high'>,
  norm: DirectionNorm,
): Float32Array {
  const length = norm === 'linf' ? 1 : dualLength(gradient, 'l2');
  if (length === 0) return point.slice();
  return point.map((value, index) => {
    const slope = gradient[index] ?? 0;
    const step = norm === 'linf' ? Math.sign(slope) : slope / length;
    return Math.min(high, Math.max(low, value - budget * step));
  });
}
