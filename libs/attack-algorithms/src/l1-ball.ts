import { int } from '@faultline/onnx';
import type { AttackVariable } from './attack.ts';
import { blocksOf } from './float32-bounds.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { rangeEnds } from './range.ts';

/** Halvings of the search for the threshold: what is left is below float32's resolution of the largest coordinate. */
const THRESHOLD_HALVINGS = 24;

/** Keeps the interpolation from dividing by zero. */
const SMALLEST_SLOPE = 1e-30;

const elementsOf = (dims: readonly number[]) => dims.reduce((product, size) => product * size, 1);

/** How far each coordinate of `point` may go in the direction in which `direction` points; both [examples, ...dims]. */
function roomTowards(b: ProgramBuilder, direction: string, point: string, variable: AttackVariable): string {
  const [lowest, highest] = rangeEnds(b, variable);
  const up = b.minus(highest, point);
  const down = b.minus(point, lowest);
  return b.op('Where', [b.op('Greater', [direction, b.scalar(0)]), up, down]);
}

/**
 * The exact projection of perturbations `delta` [examples, ...dims] of x0 onto the L1 ball of radius `epsilon` [examples], cut by the
 * variable's range: the nearest perturbation in L2. Its sizes are min(max(|delta| - t, 0), room) for the smallest threshold t >= 0 at which their sum
 * is within epsilon; t is bracketed, and interpolated at the end, for the sum is piecewise linear in it.
 * Source: the problem of Croce, Hein 2021, "Mind the box: l1-APGD for sparse adversarial attacks", arXiv 2103.01208, proposition 2.1.
 */
export function projectOntoL1(b: ProgramBuilder, delta: string, epsilon: string, variable: AttackVariable): string {
  const { name, dims } = variable;
  const { blocks, block } = blocksOf(elementsOf(dims));
  const inBlocks = (value: string) => b.reshape(value, [-1, blocks, block]);
  const x0 = b.read(`x0/${name}`, dims);
  const sizes = inBlocks(b.op('Abs', [delta]));
  const room = inBlocks(roomTowards(b, delta, x0, variable));
  const radius = b.reshape(epsilon, [-1, 1, 1]);

  const shrunk = (threshold: string) => b.op('Min', [b.relu(b.minus(sizes, threshold)), room]);
  const sumOf = (values: string) => b.reduceSum(values, [1, 2]);
  let low = b.times(radius, b.scalar(0));
  let high = b.reduceMax(sizes, [1, 2]);
  for (let round = 0; round < THRESHOLD_HALVINGS; round += 1) {
    const middle = b.times(b.plus(low, high), b.scalar(0.5));
    const over = b.op('Greater', [sumOf(shrunk(middle)), radius]);
    low = b.op('Where', [over, middle, low]);
    high = b.op('Where', [over, high, middle]);
  }
  const [above, below] = [sumOf(shrunk(low)), sumOf(shrunk(high))];
  const share = b.over(b.minus(radius, below), b.op('Max', [b.minus(above, below), b.scalar(SMALLEST_SLOPE)]));
  const between = b.minus(high, b.times(b.minus(high, low), b.op('Clip', [share, b.scalar(0), b.scalar(1)])));
  const fits = b.op('LessOrEqual', [sumOf(shrunk(between)), radius]);
  const threshold = b.op('Where', [fits, between, high]);
  const free = b.op('LessOrEqual', [sumOf(shrunk(b.scalar(0))), radius]);
  const result = shrunk(b.op('Where', [free, b.scalar(0), threshold]));
  return b.times(b.op('Sign', [delta]), b.reshape(result, [-1, ...dims]));
}

/**
 * The perturbation of x0 that goes furthest along `vector` [examples, ...dims] within the L1 ball of radius `epsilon` [examples] and the variable's
 * range: the coordinates are filled one after another, the steepest first.
 */
export function furthestInL1(b: ProgramBuilder, vector: string, epsilon: string, variable: AttackVariable): string {
  const { name, dims } = variable;
  return filledBySteepness(b, vector, roomTowards(b, vector, b.read(`x0/${name}`, dims), variable), epsilon, dims);
}

/**
 * A step of L1 length `length` [examples] up `vector` [examples, ...dims] from `point`: equal on the `count` [examples] largest coordinates, and where the
 * box leaves them less room, on as many more as it takes.
 * Source: Tramer, Boneh 2019, "Adversarial training and robustness for multiple perturbations", arXiv 1904.13000, section 4.1 (SLIDE), whose
 * steps do not look at the box.
 */
export function sparseStep(
  b: ProgramBuilder,
  vector: string,
  point: string,
  length: string,
  count: string,
  variable: AttackVariable,
): string {
  const { dims } = variable;
  const share = b.over(length, b.op('Max', [count, b.scalar(1)]));
  const room = b.op('Min', [roomTowards(b, vector, point, variable), b.spread(share, dims)]);
  return filledBySteepness(b, vector, room, length, dims);
}

/** Sizes with the signs of `vector`, `length` [examples] in sum: the steepest coordinates get what `room` they have, until nothing is left. */
function filledBySteepness(
  b: ProgramBuilder,
  vector: string,
  room: string,
  length: string,
  dims: readonly number[],
): string {
  const size = elementsOf(dims);
  const steepness = b.reshape(b.op('Abs', [vector]), [-1, size]);
  const [, order] = sorted(b, steepness, size);
  const inOrder = b.op('GatherElements', [b.reshape(room, [-1, size]), order], { axis: int(1) });
  const before = b.op('CumSum', [inOrder, b.ints([1])], { exclusive: int(1) });
  const left = b.relu(b.minus(b.reshape(length, [-1, 1]), before));
  const empty = b.times(steepness, b.scalar(0));
  const filled = b.op('ScatterElements', [empty, order, b.op('Min', [left, inOrder])], { axis: int(1) });
  return b.times(b.op('Sign', [vector]), b.reshape(filled, [-1, ...dims]));
}

/** As large on the `count` [examples] largest coordinates of `vector`, of L1 norm `length` [examples] together, with the vector's signs; ties all count. */
export function equalOnLargest(
  b: ProgramBuilder,
  vector: string,
  length: string,
  count: string,
  dims: readonly number[],
): string {
  const size = elementsOf(dims);
  const sizes = b.reshape(b.op('Abs', [vector]), [-1, size]);
  const [values] = sorted(b, sizes, size);
  const last = b.op('Clip', [b.minus(b.op('Floor', [count]), b.scalar(1)), b.scalar(0), b.scalar(size - 1)]);
  const place = b.op('Cast', [b.reshape(last, [-1, 1])], { to: int(INT64) });
  const smallest = b.op('GatherElements', [values, place], { axis: int(1) });
  const chosen = b.op('GreaterOrEqual', [sizes, smallest]);
  const flat = b.op('Sign', [b.reshape(vector, [-1, size])]);
  const signs = b.op('Where', [chosen, flat, b.scalar(0)]);
  const number = b.op('Max', [b.reduceSum(b.op('Abs', [signs]), [1]), b.scalar(1)]);
  return b.reshape(b.times(signs, b.over(b.reshape(length, [-1, 1]), number)), [-1, ...dims]);
}

/** ONNX's number for int64. */
const INT64 = 7;

/** The rows of [examples, size] in descending order, and where each value stood. */
function sorted(b: ProgramBuilder, rows: string, size: number): readonly [values: string, places: string] {
  const [values, places] = [b.fresh('sorted'), b.fresh('places')];
  b.add('TopK', [rows, b.ints([size])], { axis: int(1) }, [values, places]);
  return [values, places];
}
