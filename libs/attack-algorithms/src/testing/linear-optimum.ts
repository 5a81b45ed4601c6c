import type { NormName } from '../attack.ts';

/** The reach of one variable of a linear victim around a clean point. */
export interface LinearVariable {
  /** Budget at scale 1. */
  readonly rho: number;
  /** Weights of each true label, [true labels][coordinates]; 0 where the mask frees nothing. */
  readonly weights: readonly Float64Array[];
  /** Distance to the lower and the upper end of the range, at most and at least 0. */
  readonly down: Float64Array;
  readonly up: Float64Array;
  /** Norm of its budget. Default: the problem's. */
  readonly norm?: NormName | undefined;
  /** Coordinates of a frame, in each of which the budget holds. Default: all of them. */
  readonly frameSize?: number | undefined;
}

export interface LinearProblem {
  readonly norm: NormName;
  /** z_y - t_y of each true label at the clean point; one or two labels. */
  readonly margins: readonly number[];
  readonly variables: readonly LinearVariable[];
}

/** Rounds of the golden-section search; what is left of the interval is below 3e-5 of it. */
const MIXTURE_ROUNDS = 22;

/** The critical scale is known to this share of itself. */
const SCALE_TOLERANCE = 1e-6;

const limited = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value));

/** min of w . delta over the L1 ball of radius epsilon and the box: greedy, the steepest coordinates first. */
function lowestSparseProduct(w: Float64Array, { down, up }: LinearVariable, epsilon: number): number {
  const order = Uint32Array.from(w.keys()).sort((a, b) => Math.abs(w[b] ?? 0) - Math.abs(w[a] ?? 0));
  let [product, left] = [0, epsilon];
  for (const i of order) {
    if (left <= 0) break;
    const weight = w[i] ?? 0;
    const size = Math.min(left, weight > 0 ? -(down[i] ?? 0) : (up[i] ?? 0));
    product -= Math.abs(weight) * size;
    left -= size;
  }
  return product;
}

/** min of w . delta over the perturbations of at most `count` coordinates in the box: those that gain most. */
function lowestOfFew(w: Float64Array, { down, up }: LinearVariable, count: number): number {
  const gains = Float64Array.from(w, (weight, i) => Math.abs(weight) * (weight > 0 ? -(down[i] ?? 0) : (up[i] ?? 0)));
  return -gains
    .sort()
    .subarray(Math.max(0, gains.length - Math.floor(count)))
    .reduce((sum, gain) => sum + gain, 0);
}

/** min of w . delta over the ball of radius epsilon and the box, for combined weights w. Water-filling for L2. */
function lowestProduct(norm: NormName, w: Float64Array, variable: LinearVariable, epsilon: number): number {
  if (norm === 'l0') return lowestOfFew(w, variable, epsilon);
  if (norm === 'l1') return lowestSparseProduct(w, variable, epsilon);
  const { down, up } = variable;
  if (norm === 'linf') {
    let product = 0;
    for (let i = 0; i < w.length; i += 1) {
      product += (w[i] ?? 0) * limited(-Math.sign(w[i] ?? 0) * epsilon, down[i] ?? 0, up[i] ?? 0);
    }
    return product;
  }
  // delta_i = clip(-level w_i) is optimal for the level at which the length is epsilon, or at which all is at the box. The squared length is concave and
  // piecewise linear in the squared level: Newton's method from below ends at the root.
  const rooms = Float64Array.from(w, (weight, i) => (weight > 0 ? -(down[i] ?? 0) : (up[i] ?? 0)));
  for (let level = 0; ; ) {
    let [atTheBox, free, product] = [0, 0, 0];
    for (const [i, weight] of w.entries()) {
      const [size, room] = [Math.abs(weight), rooms[i] ?? 0];
      if (level * size < room) free += size * size;
      else {
        atTheBox += room * room;
        product -= size * room;
      }
    }
    const next = free > 0 ? Math.sqrt(Math.max(0, epsilon * epsilon - atTheBox) / free) : level;
    if (next <= level * (1 + Number.EPSILON)) return product - level * free;
    level = next;
  }
}

/** Lowest value of lambda . (margins + W delta) at scale s: what a mixture of the labels can be brought down to. */
function mixtureOptimum(problem: LinearProblem, lambda: readonly number[], scale: number): number {
  let value = lambda.reduce((sum, share, label) => sum + share * (problem.margins[label] ?? 0), 0);
  for (const variable of problem.variables) {
    const w = new Float64Array(variable.down.length);
    for (const [label, weights] of variable.weights.entries()) {
      for (let i = 0; i < w.length; i += 1) w[i] = (w[i] ?? 0) + (lambda[label] ?? 0) * (weights[i] ?? 0);
    }
    const { norm = problem.norm, frameSize = w.length, down, up } = variable;
    for (let first = 0; first < w.length; first += frameSize) {
      const [weights, frameDown, frameUp] = [w, down, up].map((all) => all.subarray(first, first + frameSize));
      if (weights === undefined || frameDown === undefined || frameUp === undefined) continue;
      value += lowestProduct(norm, weights, { ...variable, down: frameDown, up: frameUp }, scale * variable.rho);
    }
  }
  return value;
}

/**
 * The lowest margin, max over the true labels, that any perturbation within scale s reaches: by minimax duality the largest
 * mixture optimum over the simplex, which is concave in lambda (golden-section search for two labels).
 */
export function optimalMargin(problem: LinearProblem, scale: number): number {
  if (problem.margins.length === 1) return mixtureOptimum(problem, [1], scale);
  const at = (share: number) => mixtureOptimum(problem, [share, 1 - share], scale);
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [0, 1];
  let [left, right] = [1 - golden, golden];
  let [atLeft, atRight] = [at(left), at(right)];
  for (let round = 0; round < MIXTURE_ROUNDS; round += 1) {
    if (atLeft < atRight) {
      [low, left, atLeft] = [left, right, atRight];
      right = low + golden * (high - low);
      atRight = at(right);
    } else {
      [high, right, atRight] = [right, left, atLeft];
      left = high - golden * (high - low);
      atLeft = at(left);
    }
  }
  return Math.max(atLeft, atRight);
}

/** The critical scale s*: the smallest at which the optimal margin, which is convex in it, is 0. Regula falsi with the Illinois rule. */
export function criticalScale(problem: LinearProblem): number {
  let [low, atLow] = [0, optimalMargin(problem, 0)];
  if (atLow <= 0) return 0;
  let [high, atHigh] = [1e-3, optimalMargin(problem, 1e-3)];
  while (atHigh > 0) {
    if (high > 1e3) return high;
    // The tangent's root is below that of the function: twice as far beyond this point.
    const beyond = high + (2 * atHigh * (high - low)) / Math.max(atLow - atHigh, 1e-9);
    [low, atLow] = [high, atHigh];
    high = Math.min(4 * high, beyond);
    atHigh = optimalMargin(problem, high);
  }
  let kept = 0;
  while (high - low > SCALE_TOLERANCE * high && atHigh < 0) {
    const middle = (low * atHigh - high * atLow) / (atHigh - atLow);
    const value = optimalMargin(problem, middle);
    if (value > 0) {
      [low, atLow] = [middle, value];
      if (kept > 0) atHigh /= 2;
      kept = 1;
    } else {
      [high, atHigh] = [middle, value];
      if (kept < 0) atLow /= 2;
      kept = -1;
    }
  }
  return high;
}
