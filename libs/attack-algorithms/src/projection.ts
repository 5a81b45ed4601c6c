import type { AttackVariable } from './attack.ts';
import { confineToBand } from './band-projection.ts';
import { blocksOf } from './float32-bounds.ts';
import { fromRows, inRows, perRow, rowsOf } from './frames.ts';
import { projectOntoL1 } from './l1-ball.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { clipToRange } from './range.ts';
import { isWeighted, noiseWeighted, projectWeighted, steepestWeighted, type WeightedNorm } from './weighted-ball.ts';

export { clipToRange } from './range.ts';

/** Lengths below this count as zero: their square is lost in float32, and a zero gradient must not become NaN. */
const SMALLEST_LENGTH = 1e-18;

/** Norms that these projections know. */
export type BallNorm = 'linf' | 'l2' | 'l1';

/** Euclidean length of each example's tensor, [examples], summed in two stages (see `inwardEpsilon`). */
export function euclideanLength(b: ProgramBuilder, value: string, dims: readonly number[]): string {
  const { blocks, block } = blocksOf(dims.reduce((product, size) => product * size, 1));
  const inBlocks = b.op('ReduceSumSquare', [b.reshape(value, [-1, blocks, block]), b.ints([2])]);
  return b.op('Sqrt', [b.reduceSum(inBlocks, [1, 2], false)]);
}

/** Sum of absolute values of each example's tensor, [examples], in two stages (see `inwardEpsilon`). */
function absoluteSum(b: ProgramBuilder, value: string, dims: readonly number[]): string {
  const { blocks, block } = blocksOf(dims.reduce((product, size) => product * size, 1));
  const inBlocks = b.op('ReduceL1', [b.reshape(value, [-1, blocks, block]), b.ints([2])]);
  return b.reduceSum(inBlocks, [1, 2], false);
}

/** Largest absolute value of each example's tensor, [examples]. */
const largestSize = (b: ProgramBuilder, value: string) =>
  b.reduceMax(b.op('Abs', [b.reshape(value, [0, -1])]), [1], false);

/** Norm of each example's tensor, [examples], by norm. */
export const LENGTHS = { linf: largestSize, l2: euclideanLength, l1: absoluteSum } as const satisfies Record<
  BallNorm,
  (b: ProgramBuilder, value: string, dims: readonly number[]) => string
>;

/** Norm of each example's tensor, [examples]. */
export const lengthOf = (b: ProgramBuilder, norm: BallNorm, value: string, dims: readonly number[]): string =>
  LENGTHS[norm](b, value, dims);

/** Norm of each example's tensor, [examples], not below what float32 can divide by. */
function normOf(b: ProgramBuilder, norm: BallNorm, value: string, dims: readonly number[]): string {
  return b.op('Max', [lengthOf(b, norm, value, dims), b.scalar(SMALLEST_LENGTH)]);
}

/** Each example's `direction` [examples, ...dims] at norm `length` [examples]; zero where it is zero. */
export function scaledTo(
  b: ProgramBuilder,
  norm: BallNorm,
  direction: string,
  length: string,
  dims: readonly number[],
) {
  return b.times(direction, b.spread(b.over(length, normOf(b, norm, direction, dims)), dims));
}

/** Each example's `direction` [examples, ...dims] at size `length` [examples] as the variable's budget measures it, in each of its frames; zero where it is zero. */
export function atSize(
  b: ProgramBuilder,
  norm: BallNorm,
  direction: string,
  length: string,
  variable: AttackVariable,
): string {
  const rows = inRows(b, direction, variable);
  return fromRows(b, scaledTo(b, norm, rows, perRow(b, length, variable), rowsOf(variable).dims), variable);
}

/** Scales each example's delta [examples, ...dims], in each frame of the variable, down to norm `epsilon` [examples] where it is longer. */
export function shorten(
  b: ProgramBuilder,
  norm: BallNorm,
  delta: string,
  epsilon: string,
  variable: AttackVariable,
): string {
  const { dims } = rowsOf(variable);
  const rows = inRows(b, delta, variable);
  const length = normOf(b, norm, rows, dims);
  const factor = b.op('Min', [b.over(perRow(b, epsilon, variable), length), b.scalar(1)]);
  return fromRows(b, b.times(rows, b.spread(factor, dims)), variable);
}

/** Names of the state tensors that hold the lowest and the highest value of each coordinate. */
const boundSlots = (variable: string) => [`state/lowest/${variable}`, `state/highest/${variable}`] as const;

/** The L-inf ball of radius `epsilon` [examples] around x0, cut by the variable's range: [lowest, highest], [examples, ...dims]. */
function bounds(b: ProgramBuilder, epsilon: string, variable: AttackVariable): readonly [string, string] {
  const x0 = b.read(`x0/${variable.name}`, variable.dims);
  const radius = b.spread(epsilon, variable.dims);
  return [clipToRange(b, b.minus(x0, radius), variable), clipToRange(b, b.plus(x0, radius), variable)];
}

const between = (b: ProgramBuilder, value: string, [lowest, highest]: readonly [string, string]) =>
  b.op('Max', [b.op('Min', [value, highest]), lowest]);

/**
 * The point of the ball of radius `epsilon` [examples] around x0, and of the variable's range, that a tentative point
 * [examples, ...dims] is brought to. For L-inf that is the exact projection. For L2 the point is limited to the range first and
 * then scaled towards x0, which stays inside the range; its fixed points under ever smaller gradient steps are the
 * constrained optima, as for the exact projection. For L1 it is the exact projection, made safe against rounding. A perturbation of a band is brought back to it and scaled down as a whole, for L-inf
 * too; then the range clips it, which makes no norm larger.
 */
export function project(
  b: ProgramBuilder,
  norm: BallNorm,
  tentative: string,
  epsilon: string,
  variable: AttackVariable,
) {
  const { name, dims, band } = variable;
  if (isWeighted(variable)) return projectWeighted(b, weightedNorm(norm), tentative, epsilon, variable);
  if (norm === 'linf' && band === undefined) return between(b, tentative, bounds(b, epsilon, variable));
  const x0 = b.read(`x0/${name}`, dims);
  if (norm === 'l1' && band === undefined) {
    const nearest = projectOntoL1(b, b.minus(tentative, x0), epsilon, variable);
    return clipToRange(b, b.plus(x0, shorten(b, norm, nearest, epsilon, variable)), variable);
  }
  const free =
    band === undefined
      ? b.minus(clipToRange(b, tentative, variable), x0)
      : confineToBand(b, b.minus(tentative, x0), name, band, dims);
  const delta = shorten(b, norm, free, epsilon, variable);
  return clipToRange(b, b.plus(x0, delta), variable);
}

/** Whether a point can be limited coordinate by coordinate. */
const hasBounds = (norm: BallNorm, { band, weighted }: AttackVariable) =>
  norm === 'linf' && band === undefined && weighted === undefined;

/** Part of an init program: keeps what `projectAgain` needs. */
export function keepBounds(b: ProgramBuilder, norm: BallNorm, epsilon: string, variable: AttackVariable): void {
  if (!hasBounds(norm, variable)) return;
  const [lowestSlot, highestSlot] = boundSlots(variable.name);
  const [lowest, highest] = bounds(b, epsilon, variable);
  b.write(`next/${lowestSlot}`, lowest, variable.dims);
  b.write(`next/${highestSlot}`, highest, variable.dims);
}

/** As `project`, for step programs: the L-inf bounds come from state, since each pass over the tensors costs. */
export function projectAgain(
  b: ProgramBuilder,
  norm: BallNorm,
  tentative: string,
  epsilon: string,
  variable: AttackVariable,
) {
  if (!hasBounds(norm, variable)) return project(b, norm, tentative, epsilon, variable);
  const [lowest, highest] = boundSlots(variable.name);
  return between(b, tentative, [b.read(lowest, variable.dims), b.read(highest, variable.dims)]);
}

/**
 * The direction of steepest ascent with norm `length` [examples], in [examples, ...dims], for a `vector` inside the variable's region: its
 * sign for L-inf, itself for L2, its largest coordinate for L1; zero where `vector` is zero. In a band the sign is brought back to it, which is not the steepest direction
 * any more, but one that ascends.
 */
export function steepest(b: ProgramBuilder, norm: BallNorm, vector: string, variable: AttackVariable, length: string) {
  const { dims, band } = variable;
  if (isWeighted(variable)) return steepestWeighted(b, weightedNorm(norm), vector, variable, length);
  if (norm === 'linf' && band === undefined) return b.times(b.op('Sign', [vector]), b.spread(length, dims));
  const direction = norm === 'l2' ? vector : confined(b, corner(b, norm, vector, dims), variable);
  return atSize(b, norm, direction, length, variable);
}

/** The point of the norm's unit ball, or a multiple of it, that is furthest along `vector`. */
function corner(b: ProgramBuilder, norm: BallNorm, vector: string, dims: readonly number[]): string {
  if (norm === 'l2') return vector;
  const signs = b.op('Sign', [vector]);
  if (norm === 'linf') return signs;
  const largest = b.spread(b.op('Max', [largestSize(b, vector), b.scalar(SMALLEST_LENGTH)]), dims);
  return b.op('Where', [b.op('GreaterOrEqual', [b.op('Abs', [vector]), largest]), signs, b.scalar(0)]);
}

/** Budgets of weighted coefficients in other norms are refused before. */
function weightedNorm(norm: BallNorm): WeightedNorm {
  if (norm === 'l1') throw new RangeError('weighted coefficients have no L1 ball');
  return norm;
}

/** Noise of the variable's region at size `length` [examples] as its budget measures it, from noise [examples, ...dims] whose coordinates are independent. */
export function noiseAtSize(
  b: ProgramBuilder,
  norm: BallNorm,
  noise: string,
  length: string,
  variable: AttackVariable,
): string {
  if (isWeighted(variable)) return noiseWeighted(b, weightedNorm(norm), noise, variable, length);
  return atSize(b, norm, confined(b, noise, variable), length, variable);
}

/**
 * What of a perturbation [examples, ...dims] the variable's region leaves: all of it where there is no region. A gradient that goes to `steepest` needs it for masks and
 * bands alone: weighted coefficients are confined there.
 */
export function confined(b: ProgramBuilder, delta: string, variable: AttackVariable): string {
  const { name, dims, mask, band } = variable;
  if (band !== undefined) return confineToBand(b, delta, name, band, dims);
  return mask === undefined ? delta : b.times(delta, b.constantSlot(maskName(name), [1, ...dims]));
}

/** Name of a variable's mask among the constants. */
export const maskName = (variable: string) => `mask/${variable}`;
