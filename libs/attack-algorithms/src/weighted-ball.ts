import type { DenseTensor } from '@faultline/contracts';
import { coefficientWeights } from '@faultline/metrics';
import type { AttackVariable } from './attack.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { clipToRange } from './range.ts';
import type { WeightedRegion } from './weighted-region.ts';

/** Sizes below this count as zero (see projection.ts). */
const SMALLEST_LENGTH = 1e-18;

const atomsName = (variable: string) => `weighted/atoms/${variable}`;
const freeName = (variable: string) => `weighted/free/${variable}`;

/** Name of a variable's weights: a constant [1, 1, hop] of those by loudness, data of each example [positions, hop] of those by masking. */
export const weightsName = (variable: string) => `weighted/weights/${variable}`;

/** A variable whose perturbations are measured by weighted coefficients. */
export interface WeightedVariable extends AttackVariable {
  readonly weighted: WeightedRegion;
}

/** Whether a variable is measured by weighted coefficients. */
export const isWeighted = (variable: AttackVariable): variable is WeightedVariable => variable.weighted !== undefined;

/** The constants that weighted balls read; weights that are each clip's own are data (weighted-data.ts). */
export function* weightedConstants({ name, weighted }: WeightedVariable): Generator<readonly [string, DenseTensor]> {
  const { hop, atoms, positions, free, weighting } = weighted;
  if (weighting.kind === 'loudness') {
    // The same at every position.
    const row = coefficientWeights(weighting, new Float32Array(hop)).subarray(0, hop);
    yield [weightsName(name), { dims: [1, 1, hop], data: Float32Array.from(row) }];
  }
  yield [atomsName(name), { dims: [2 * hop, hop], data: atoms }];
  yield [freeName(name), { dims: [1, positions, hop], data: free }];
}

const atomsOf = (b: ProgramBuilder, { name, weighted: { hop } }: WeightedVariable) =>
  b.constantSlot(atomsName(name), [2 * hop, hop]);

const freeOf = (b: ProgramBuilder, { name, weighted: { positions, hop } }: WeightedVariable) =>
  b.constantSlot(freeName(name), [1, positions, hop]);

function weightsOf(b: ProgramBuilder, { name, weighted }: WeightedVariable): string {
  const { hop, positions, weighting } = weighted;
  if (weighting.kind === 'masking') return b.read(`data/${weightsName(name)}`, [positions, hop]);
  return b.constantSlot(weightsName(name), [1, 1, hop]);
}

const samplesOf = ({ dims }: WeightedVariable) => dims[0] ?? 0;

/** Coefficients [examples, positions, hop] of waveforms [examples, samples]. */
function analysed(b: ProgramBuilder, value: string, variable: WeightedVariable): string {
  const { hop, positions } = variable.weighted;
  const silence = (samples: number) => {
    const zero = b.times(b.slice(value, [0], [1], [1]), b.scalar(0));
    const ones = b.constant({ dataType: 'float32', dims: [1, samples], data: new Float32Array(samples).fill(1) });
    return b.times(zero, ones);
  };
  const after = positions * hop - samplesOf(variable);
  const blocks = b.reshape(b.concat([silence(hop), value, silence(after)], 1), [-1, positions + 1, hop]);
  const [first, second] = [b.slice(blocks, [0], [positions], [1]), b.slice(blocks, [1], [positions + 1], [1])];
  return b.matmul(b.concat([first, second], 2), atomsOf(b, variable));
}

/** Waveforms [examples, samples] of coefficients. */
function synthesised(b: ProgramBuilder, coefficients: string, variable: WeightedVariable): string {
  const { hop, positions } = variable.weighted;
  const sums = b.matmul(coefficients, b.transpose(atomsOf(b, variable), [1, 0]));
  const silence = b.times(b.slice(b.slice(sums, [0], [1], [1]), [0], [hop], [2]), b.scalar(0));
  const firstHalves = b.concat([b.slice(sums, [0], [hop], [2]), silence], 1);
  const secondHalves = b.concat([silence, b.slice(sums, [hop], [2 * hop], [2])], 1);
  const whole = b.reshape(b.plus(firstHalves, secondHalves), [-1, (positions + 1) * hop]);
  return b.slice(whole, [hop], [hop + samplesOf(variable)], [1]);
}

/** Norms of weighted coefficients; budgets in L1 and L0 of them are refused. */
export type WeightedNorm = 'linf' | 'l2';

/** Norm of coefficients [examples, positions, hop] that are weighted already, [examples]; not below what float32 can divide by. */
function sizeOf(b: ProgramBuilder, norm: WeightedNorm, weighted: string): string {
  const each = norm === 'linf' ? b.op('Abs', [weighted]) : b.times(weighted, weighted);
  if (norm === 'linf') return b.op('Max', [b.reduceMax(each, [1, 2], false), b.scalar(SMALLEST_LENGTH)]);
  const sum = b.reduceSum(b.reduceSum(each, [2]), [1, 2], false);
  return b.op('Max', [b.op('Sqrt', [sum]), b.scalar(SMALLEST_LENGTH)]);
}

const spread = (b: ProgramBuilder, value: string) => b.reshape(value, [-1, 1, 1]);

/** What the free atoms leave of waveforms [examples, samples]. */
export function confineWeighted(b: ProgramBuilder, value: string, variable: WeightedVariable): string {
  return synthesised(b, b.times(analysed(b, value, variable), freeOf(b, variable)), variable);
}

/**
 * The perturbation of size `length` [examples] that goes furthest along `vector` [examples, samples]: in L2 coefficients in proportion to gradient / weight^2, in L-inf of
 * size length / weight with the gradient's signs.
 */
export function steepestWeighted(
  b: ProgramBuilder,
  norm: WeightedNorm,
  vector: string,
  variable: WeightedVariable,
  length: string,
): string {
  return synthesised(b, along(b, norm, analysed(b, vector, variable), variable, length), variable);
}

/** White noise in the coordinates of the ball (in L-inf random signs) from white noise [examples, samples], at size `length` [examples]. */
export function noiseWeighted(
  b: ProgramBuilder,
  norm: WeightedNorm,
  noise: string,
  variable: WeightedVariable,
  length: string,
): string {
  // The coefficients of white noise are white: weight times them is what the steepest direction takes for a gradient.
  const coefficients = b.times(analysed(b, noise, variable), weightsOf(b, variable));
  return synthesised(b, along(b, norm, coefficients, variable, length), variable);
}

/** Free coefficients of size `length` that go furthest along a gradient in coefficients. */
function along(
  b: ProgramBuilder,
  norm: WeightedNorm,
  gradient: string,
  variable: WeightedVariable,
  length: string,
): string {
  const weights = weightsOf(b, variable);
  const free = b.times(gradient, freeOf(b, variable));
  if (norm === 'linf') return b.times(b.over(b.op('Sign', [free]), weights), spread(b, length));
  const scaled = b.over(free, weights);
  return b.times(b.over(scaled, weights), spread(b, b.over(length, sizeOf(b, norm, scaled))));
}

/**
 * The point of the ball of radius `epsilon` [examples] around x0, and of the variable's range, that a tentative point [examples, samples] is brought to: the exact projection in
 * weighted coefficients; then, where the range clips it, what is left is scaled towards x0, for clipping spreads over all frequencies and can make
 * a weighted norm larger.
 */
export function projectWeighted(
  b: ProgramBuilder,
  norm: WeightedNorm,
  tentative: string,
  epsilon: string,
  variable: WeightedVariable,
): string {
  const x0 = b.read(`x0/${variable.name}`, variable.dims);
  const weights = weightsOf(b, variable);
  const coefficients = b.times(analysed(b, b.minus(tentative, x0), variable), freeOf(b, variable));
  const shortened = (value: string, size: string) =>
    b.times(value, spread(b, b.op('Min', [b.over(epsilon, size), b.scalar(1)])));
  const limit = b.over(spread(b, epsilon), weights);
  const inside =
    norm === 'linf'
      ? b.op('Max', [b.op('Min', [coefficients, limit]), b.negate(limit)])
      : shortened(coefficients, sizeOf(b, norm, b.times(coefficients, weights)));
  const moved = clipToRange(b, b.plus(x0, synthesised(b, inside, variable)), variable);
  const delta = b.minus(moved, x0);
  const size = sizeOf(b, norm, b.times(analysed(b, delta, variable), weights));
  const factor = b.reshape(b.op('Min', [b.over(epsilon, size), b.scalar(1)]), [-1, 1]);
  return clipToRange(b, b.plus(x0, b.times(delta, factor)), variable);
}
