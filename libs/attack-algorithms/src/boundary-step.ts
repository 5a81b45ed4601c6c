import { int } from '@faultline/onnx';
import type { ScaledVariable } from './minimum-norm.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, lengthOf } from './projection.ts';

/** Newton rounds of the search for the scale: on a concave function from below, they close in quadratically. */
const ROUNDS = 6;

const SMALLEST = 1e-12;

/** ONNX's number for float32. */
const FLOAT = 1;

const sizeOf = (dims: readonly number[]) => dims.reduce((product, size) => product * size, 1);

/** How much a linear function falls within a scale, and how fast that grows with it; each [examples, 1]. */
interface Reach {
  readonly decrease: string;
  readonly slope: string;
}

/** What one variable can do for a linear function within a scale. */
interface Filling {
  /** The scale, [examples, 1], comes with each round. */
  reach(scale: string): Reach;
  /** The move that falls most within the scale, [examples, coordinates]. */
  move(scale: string): string;
}

/** Slopes and rooms of one variable's coordinates, [examples, coordinates]. */
interface Coordinates {
  readonly slope: string;
  readonly steepness: string;
  readonly room: string;
  readonly rho: number;
}

const sum = (b: ProgramBuilder, values: string) => b.reduceSum(values, [1]);
const numbers = (b: ProgramBuilder, condition: string) => b.op('Cast', [condition], { to: int(FLOAT) });
const downhill = (b: ProgramBuilder, { slope }: Coordinates, sizes: string) =>
  b.negate(b.times(b.op('Sign', [slope]), sizes));

/** L-inf: every coordinate goes as far as the scale, or its room. */
function fillEvenly(b: ProgramBuilder, at: Coordinates): Filling {
  const sizes = (scale: string) => b.op('Min', [at.room, b.times(scale, b.scalar(at.rho))]);
  return {
    reach(scale) {
      const free = numbers(b, b.op('Greater', [at.room, b.times(scale, b.scalar(at.rho))]));
      return {
        decrease: sum(b, b.times(at.steepness, sizes(scale))),
        slope: b.times(sum(b, b.times(at.steepness, free)), b.scalar(at.rho)),
      };
    },
    move: (scale) => downhill(b, at, sizes(scale)),
  };
}

/** L2: as far as the slope, up to the room; the length of that is brought to the scale along with it, a Newton round at a time. */
function fillBySlope(b: ProgramBuilder, at: Coordinates): Filling {
  const zero = b.scalar(0);
  const all = sum(b, b.times(at.steepness, at.steepness));
  const squaredRoom = b.times(at.room, at.room);
  /** Slope units gone so far, [examples, 1]. */
  let level = b.times(all, zero);
  const solve = (scale: string) => {
    const full = b.op('LessOrEqual', [at.room, b.times(at.steepness, level)]);
    const filled = sum(b, b.op('Where', [full, squaredRoom, zero]));
    const free = b.op('Where', [full, zero, at.steepness]);
    const freeSquare = b.op('Max', [sum(b, b.times(free, free)), b.scalar(SMALLEST)]);
    const length = b.times(scale, b.scalar(at.rho));
    const next = b.op('Sqrt', [b.over(b.relu(b.minus(b.times(length, length), filled)), freeSquare)]);
    level = b.op('Max', [level, next]);
    return { full, length, freeSquare };
  };
  return {
    reach(scale) {
      const { full, length, freeSquare } = solve(scale);
      const fixed = sum(b, b.op('Where', [full, b.times(at.steepness, at.room), zero]));
      return {
        decrease: b.plus(fixed, b.times(level, freeSquare)),
        slope: b.times(b.over(length, b.op('Max', [level, b.scalar(SMALLEST)])), b.scalar(at.rho)),
      };
    },
    move(scale) {
      solve(scale);
      return downhill(b, at, b.op('Min', [at.room, b.times(at.steepness, level)]));
    },
  };
}

/** L1: the steepest coordinates are filled first. */
function fillSteepest(b: ProgramBuilder, at: Coordinates, size: number): Filling {
  const [steepness, order] = [b.fresh('steepness'), b.fresh('order')];
  b.add('TopK', [at.steepness, b.ints([size])], { axis: int(1) }, [steepness, order]);
  const room = b.op('GatherElements', [at.room, order], { axis: int(1) });
  const before = b.op('CumSum', [room, b.ints([1])], { exclusive: int(1) });
  const sizes = (scale: string) => b.op('Min', [room, b.relu(b.minus(b.times(scale, b.scalar(at.rho)), before))]);
  return {
    reach(scale) {
      const filling = sizes(scale);
      const open = b.op('Less', [filling, room]);
      return {
        decrease: sum(b, b.times(steepness, filling)),
        slope: b.times(b.reduceMax(b.op('Where', [open, steepness, b.scalar(0)]), [1]), b.scalar(at.rho)),
      };
    },
    move(scale) {
      const empty = b.times(at.steepness, b.scalar(0));
      return downhill(b, at, b.op('ScatterElements', [empty, order, sizes(scale)], { axis: int(1) }));
    },
  };
}

/** What leads to the boundary of a linear function: the slopes [examples, ...dims] of each variable at a point [examples, ...dims]. */
export interface Approach {
  readonly variable: ScaledVariable;
  readonly slope: string;
  readonly from: string;
}

/**
 * The smallest move, by the joint scale max_v |move_v| / rho_v, that brings a linear function down by `height` [examples] inside the ranges: the projection of the points onto
 * its boundary. Where the ranges do not allow as much, all the way that helps. Returns the scale, [examples], and each variable's move, [examples, ...dims].
 * Source: the box-constrained projections of Croce, Hein 2020, arXiv 1907.02044, section 2.2, here with one scale for several variables, found by Newton's
 * method: what a scale allows is concave in it.
 */
export function moveToBoundary(
  b: ProgramBuilder,
  norm: BallNorm,
  height: string,
  approaches: readonly Approach[],
): { readonly scale: string; readonly moves: ReadonlyMap<string, string> } {
  const fillings = approaches.map(({ variable, slope, from }) => {
    const { low, high, dims, rho } = variable;
    const size = sizeOf(dims);
    const [flat, point] = [b.reshape(slope, [-1, size]), b.reshape(from, [-1, size])];
    const down = b.op('Greater', [flat, b.scalar(0)]);
    const room = b.relu(b.op('Where', [down, b.minus(point, b.scalar(low)), b.minus(b.scalar(high), point)]));
    const at = { slope: flat, steepness: b.op('Abs', [flat]), room, rho };
    if (norm === 'linf') return fillEvenly(b, at);
    return norm === 'l2' ? fillBySlope(b, at) : fillSteepest(b, at, size);
  });
  const total = (values: readonly string[]) => (values.length === 1 ? (values[0] ?? '') : b.op('Sum', values));
  const wanted = b.reshape(b.relu(height), [-1, 1]);
  const limits = approaches.map(({ variable: { dims, low, high, rho } }) => {
    const size = sizeOf(dims);
    return ((high - low) * { linf: 1, l2: Math.sqrt(size), l1: size }[norm]) / rho;
  });
  // Without ends of the ranges: below what is needed with them.
  const dual = { linf: 'l1', l2: 'l2', l1: 'linf' } as const;
  const open = total(
    approaches.map(({ variable: { dims, rho }, slope }) =>
      b.times(b.reshape(lengthOf(b, dual[norm], slope, dims), [-1, 1]), b.scalar(rho)),
    ),
  );
  const limit = b.scalar(Math.max(...limits));
  let scale = b.op('Min', [b.over(wanted, b.op('Max', [open, b.scalar(SMALLEST)])), limit]);
  for (let round = 0; round < ROUNDS; round += 1) {
    const reaches = fillings.map((filling) => filling.reach(scale));
    const missing = b.relu(b.minus(wanted, total(reaches.map(({ decrease }) => decrease))));
    const slope = b.op('Max', [total(reaches.map((reach) => reach.slope)), b.scalar(SMALLEST)]);
    scale = b.op('Min', [b.plus(scale, b.over(missing, slope)), limit]);
  }
  return {
    scale: b.reshape(scale, [-1]),
    moves: new Map(
      approaches.map(({ variable: { name, dims } }, index) => [
        name,
        b.reshape(fillings[index]?.move(scale) ?? '', [-1, ...dims]),
      ]),
    ),
  };
}
