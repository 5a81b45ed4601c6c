import { int } from '@faultline/onnx';
import type { RowJoin } from './goal-rows.ts';
import type { ScaledVariable } from './minimum-norm.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { confined } from './projection.ts';

/** Rounds of the search for the mixture of labels, and those whose directions are averaged: the later ones. */
const ROUNDS = 24;
const FIRST_AVERAGED = 8;

/** A move goes no farther than this multiple of what the mixture needs: rows that hardly move along it wait for the next step. */
const FARTHEST = 1.5;

/** First change of the logarithm of each share; it grows while its sign stays and shrinks where it turns (Riedmiller, Braun 1993, RPROP). */
const FIRST_CHANGE = 1;
const FASTER = 1.2;
const SLOWER = 0.5;

/** What has vanished by so much stays as it is. */
const LARGEST_LOG = 20;

/** Share that every label has of the first mixture. */
const FLOOR = 0.05;

const SMALLEST = 1e-12;

/** The norms whose steepest directions move all coordinates at once. */
export type DenseNorm = 'linf' | 'l2';

const sizeOf = (dims: readonly number[]) => dims.reduce((product, size) => product * size, 1);

/** Gradients of several heights inside the region, [examples, rows, coordinates]. */
function gradientRows(b: ProgramBuilder, variable: ScaledVariable, rows: number): string {
  const { name, dims } = variable;
  const each = confined(b, b.reshape(b.read(`grad/${name}`, [rows, ...dims]), [-1, ...dims]), variable);
  return b.reshape(each, [-1, rows, sizeOf(dims)]);
}

/** Rows [examples, rows, coordinates], or a mixture of them [examples, 1, coordinates], without the coordinates that stand at an end of the range and that its descent would lead out of it. */
function withinRange(b: ProgramBuilder, mixed: string, { name, dims, low, high }: ScaledVariable): string {
  const x = b.reshape(b.read(`x/${name}`, dims), [-1, 1, sizeOf(dims)]);
  const zero = b.scalar(0);
  const pastHigh = b.op('And', [b.op('GreaterOrEqual', [x, b.scalar(high)]), b.op('Less', [mixed, zero])]);
  const pastLow = b.op('And', [b.op('LessOrEqual', [x, b.scalar(low)]), b.op('Greater', [mixed, zero])]);
  return b.op('Where', [b.op('Or', [pastHigh, pastLow]), zero, mixed]);
}

/** Dual norm of rows [examples, rows, coordinates], each by itself, and the direction of unit norm in which they rise most. */
function dual(
  b: ProgramBuilder,
  norm: DenseNorm,
  rows: string,
): { readonly length: string; readonly steepest: string } {
  const sum = b.reduceSum(norm === 'l2' ? b.times(rows, rows) : b.op('Abs', [rows]), [2]);
  const length = b.op('Max', [norm === 'l2' ? b.op('Sqrt', [sum]) : sum, b.scalar(SMALLEST)]);
  return { length, steepest: norm === 'l2' ? b.over(rows, length) : b.op('Sign', [rows]) };
}

/** The heights of a goal, and which of them are to be below 0. */
export interface LinearHeights {
  /** [examples, rows] */
  readonly heights: string;
  readonly rows: number;
  readonly join: RowJoin;
}

/**
 * The smallest move, by the joint scale max_v |move_v| / rho_v, that brings all heights, or any one, to 0 or below where they are linear. All: by duality the
 * mixture of rows that needs the largest scale, found by the signs of its gradient; one row needs no search. Any: the row that needs the smallest scale by itself.
 * grad/V must hold the rows' gradients. Returns each variable's move, [examples, ...dims].
 */
export function smallestLinearMove(
  b: ProgramBuilder,
  norm: DenseNorm,
  { heights, rows, join }: LinearHeights,
  variables: readonly ScaledVariable[],
): Map<string, string> {
  const gradients = variables.map((variable) => ({
    variable,
    rows: b.times(gradientRows(b, variable, rows), b.scalar(variable.rho)),
  }));
  const row = b.reshape(heights, [-1, 1, rows]);
  const total = (values: readonly string[]) => (values.length === 1 ? (values[0] ?? '') : b.op('Sum', values));
  const at = (mixture: string) => {
    const duals = gradients.map(({ variable, rows: each }) =>
      dual(b, norm, withinRange(b, b.matmul(mixture, each), variable)),
    );
    return { duals, height: b.reduceSum(b.times(mixture, row), [2]), slope: total(duals.map(({ length }) => length)) };
  };
  const nearest = () => {
    const duals = gradients.map(({ variable, rows: each }) => dual(b, norm, withinRange(b, each, variable)));
    const slopes = b.transpose(total(duals.map(({ length }) => length)), [0, 2, 1]);
    const scales = b.over(b.relu(row), slopes);
    // Repeated rows share the place.
    const lowest = b.op('LessOrEqual', [scales, b.negate(b.reduceMax(b.negate(scales), [2]))]);
    return b.op('Cast', [lowest], { to: int(1) });
  };
  const shares = (weights: string) => b.over(weights, b.reduceSum(weights, [2]));
  const highest = b.op('Max', [b.reduceMax(row, [2]), b.scalar(SMALLEST)]);
  const averaged: string[][] = gradients.map(() => []);
  const slopesAlong = (directions: readonly string[]) =>
    total(
      gradients.map(({ rows: each }, index) =>
        b.transpose(b.matmul(each, b.transpose(directions[index] ?? '', [0, 2, 1])), [0, 2, 1]),
      ),
    );
  let logarithms = b.op('Log', [shares(b.plus(b.relu(row), b.times(highest, b.scalar(FLOOR))))]);
  let change = b.plus(b.times(row, b.scalar(0)), b.scalar(FIRST_CHANGE));
  let before = b.times(row, b.scalar(0));
  const searched = join === 'all' && rows > 1;
  for (let round = 0; searched && round < ROUNDS; round += 1) {
    const { duals, height, slope } = at(b.op('Softmax', [logarithms], { axis: int(2) }));
    const directions = duals.map(({ steepest }) => steepest);
    if (round >= FIRST_AVERAGED) for (const [index, list] of averaged.entries()) list.push(directions[index] ?? '');
    // Of log(height / slope) by each share; with the shares as weights these sum to 0.
    const steepness = b.over(slopesAlong(directions), slope);
    const rise = b.minus(b.over(row, b.op('Max', [height, b.times(highest, b.scalar(FLOOR))])), steepness);
    const sign = b.op('Sign', [rise]);
    const turned = b.op('Less', [b.times(sign, before), b.scalar(0)]);
    change = b.times(change, b.op('Where', [turned, b.scalar(SLOWER), b.scalar(FASTER)]));
    logarithms = b.op('Clip', [
      b.plus(logarithms, b.times(sign, change)),
      b.scalar(-LARGEST_LOG),
      b.scalar(LARGEST_LOG),
    ]);
    before = sign;
  }
  const { duals, height, slope } = at(
    join === 'any' ? shares(nearest()) : b.op('Softmax', [logarithms], { axis: int(2) }),
  );
  // One direction of the best mixture need not meet every row; the mean of those around it does.
  const directions = duals.map(({ steepest }, index) => b.op('Mean', [steepest, ...(averaged[index] ?? [])]));
  const needed = b.reduceMax(b.over(b.relu(row), b.op('Max', [slopesAlong(directions), b.scalar(SMALLEST)])), [2]);
  const own = b.over(b.relu(height), slope);
  const scale = join === 'any' ? own : b.op('Min', [needed, b.times(own, b.scalar(FARTHEST))]);
  return new Map(
    gradients.map(({ variable }, index) => {
      const move = b.times(directions[index] ?? '', b.times(scale, b.scalar(-variable.rho)));
      return [variable.name, b.reshape(move, [-1, ...variable.dims])];
    }),
  );
}
