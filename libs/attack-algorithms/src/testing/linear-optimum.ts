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
}

export interface LinearProblem {
  readonly norm: NormName;
  /** z_y - t_y of each true label at the clean point; one or two labels. */
  readonly margins: readonly number[];
  readonly variables: readonly LinearVariable[];
}

/** Rounds of the nested searches; each leaves an error below 1e-5 of the result. */
const LEVEL_HALVINGS = 32;
const MIXTURE_ROUNDS = 22;
const SCALE_HALVINGS = 17;

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
  // delta_i = clip(-level w_i) is optimal in L2 for the level at which the length is epsilon, or at which all is at the box.
  const sum = (level: number) => {
    let [product, squares] = [0, 0];
    for (let i = 0; i < w.length; i += 1) {
      const delta = limited(-level * (w[i] ?? 0), down[i] ?? 0, up[i] ?? 0);
      product += (w[i] ?? 0) * delta;
      squares += delta * delta;
    }
    return { product, length: Math.sqrt(squares) };
  };
  if (norm === 'linf') {
    let product = 0;
    for (let i = 0; i < w.length; i += 1) {
      product += (w[i] ?? 0) * limited(-Math.sign(w[i] ?? 0) * epsilon, down[i] ?? 0, up[i] ?? 0);
    }
    return product;
  }
  let [low, high] = [0, 1];
  while (sum(high).length < epsilon && high < 2 ** 60) [low, high] = [high, 2 * high];
  for (let round = 0; round < LEVEL_HALVINGS; round += 1) {
    const middle = (low + high) / 2;
    if (sum(middle).length < epsilon) low = middle;
    else high = middle;
  }
  return sum(low).product;
}

/** Lowest value of lambda . (margins + W delta) at scale s: what a mixture of the labels can be brought down to. */
function mixtureOptimum(problem: LinearProblem, lambda: readonly number[], scale: number): number {
  let value = lambda.reduce((sum, share, label) => sum + share * (problem.margins[label] ?? 0), 0);
  for (const variable of problem.variables) {
    const w = new Float64Array(variable.down.length);
    for (const [label, weights] of variable.weights.entries()) {
      for (let i = 0; i < w.length; i += 1) w[i] = (w[i] ?? 0) + (lambda[label] ?? 0) * (weights[i] ?? 0);
    }
    value += lowestProduct(problem.norm, w, variable, scale * variable.rho);
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
  for (let round = 0; round < MIXTURE_ROUNDS; round += 1) {
    const [a, b] = [high - golden * (high - low), low + golden * (high - low)];
    if (at(a) < at(b)) low = a;
    else high = b;
  }
  return at((low + high) / 2);
}

/** The critical scale s*: the smallest at which the optimal margin is 0. */
export function criticalScale(problem: LinearProblem): number {
  let [low, high] = [0, 1e-3];
  while (optimalMargin(problem, high) > 0 && high < 1e3) [low, high] = [high, 2 * high];
  for (let round = 0; round < SCALE_HALVINGS; round += 1) {
    const middle = (low + high) / 2;
    if (optimalMargin(problem, middle) > 0) low = middle;
    else high = middle;
  }
  return high;
}
