import type { AttackVariable, NormName } from './attack.ts';
import { blocksOf } from './float32-bounds.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** Lengths below this count as zero: their square is lost in float32, and a zero gradient must not become NaN. */
const SMALLEST_LENGTH = 1e-18;

/** Euclidean length of each example's tensor, [examples], summed in two stages (see `inwardEpsilon`). */
export function euclideanLength(b: ProgramBuilder, value: string, dims: readonly number[]): string {
  const { blocks, block } = blocksOf(dims.reduce((product, size) => product * size, 1));
  const inBlocks = b.op('ReduceSumSquare', [b.reshape(value, [-1, blocks, block]), b.ints([2])]);
  return b.op('Sqrt', [b.reduceSum(inBlocks, [1, 2], false)]);
}

/** Limits values to the variable's range. */
export function clipToRange(b: ProgramBuilder, value: string, { low, high }: AttackVariable): string {
  return b.op('Clip', [value, b.scalar(low), b.scalar(high)]);
}

/** Scales each example's delta down to length `epsilon` where it is longer; [examples, ...dims]. */
function shorten(b: ProgramBuilder, delta: string, epsilon: string, dims: readonly number[]): string {
  const length = b.op('Max', [euclideanLength(b, delta, dims), b.scalar(SMALLEST_LENGTH)]);
  const factor = b.op('Min', [b.over(epsilon, length), b.scalar(1)]);
  return b.times(delta, b.spread(factor, dims));
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
 * constrained optima, as for the exact projection.
 */
export function project(
  b: ProgramBuilder,
  norm: NormName,
  tentative: string,
  epsilon: string,
  variable: AttackVariable,
) {
  if (norm === 'linf') return between(b, tentative, bounds(b, epsilon, variable));
  const { name, dims } = variable;
  const x0 = b.read(`x0/${name}`, dims);
  const delta = shorten(b, b.minus(clipToRange(b, tentative, variable), x0), epsilon, dims);
  return clipToRange(b, b.plus(x0, delta), variable);
}

/** Part of an init program: keeps what `projectAgain` needs. */
export function keepBounds(b: ProgramBuilder, norm: NormName, epsilon: string, variable: AttackVariable): void {
  if (norm !== 'linf') return;
  const [lowestSlot, highestSlot] = boundSlots(variable.name);
  const [lowest, highest] = bounds(b, epsilon, variable);
  b.write(`next/${lowestSlot}`, lowest, variable.dims);
  b.write(`next/${highestSlot}`, highest, variable.dims);
}

/** As `project`, for step programs: the L-inf bounds come from state, since each pass over the tensors costs. */
export function projectAgain(
  b: ProgramBuilder,
  norm: NormName,
  tentative: string,
  epsilon: string,
  variable: AttackVariable,
) {
  if (norm !== 'linf') return project(b, norm, tentative, epsilon, variable);
  const [lowest, highest] = boundSlots(variable.name);
  return between(b, tentative, [b.read(lowest, variable.dims), b.read(highest, variable.dims)]);
}

/**
 * The direction of steepest ascent with norm 1, [examples, ...dims]: the sign for L-inf, the unit vector for L2; zero where
 * `vector` is zero.
 */
export function steepest(b: ProgramBuilder, norm: NormName, vector: string, dims: readonly number[], length: string) {
  if (norm === 'linf') return b.times(b.op('Sign', [vector]), b.spread(length, dims));
  const size = b.op('Max', [euclideanLength(b, vector, dims), b.scalar(SMALLEST_LENGTH)]);
  return b.times(vector, b.spread(b.over(length, size), dims));
}

/** Zeroes what the variable's mask does not free; the value itself where there is no mask. */
export function masked(b: ProgramBuilder, value: string, { name, dims, mask }: AttackVariable): string {
  return mask === undefined ? value : b.times(value, b.constantSlot(maskName(name), [1, ...dims]));
}

/** Name of a variable's mask among the constants. */
export const maskName = (variable: string) => `mask/${variable}`;
