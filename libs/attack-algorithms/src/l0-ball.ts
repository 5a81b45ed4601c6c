import { int } from '@faultline/onnx';
import type { ProgramBuilder } from './program-builder.ts';

/** ONNX's number for float32. */
const FLOAT32 = 1;

/** Counts arrive as float32 products: one just below a whole number is meant to be that number. */
const COUNT_SLACK = 1e-3;

/**
 * Halvings of the search for the lowest rank that stays: ranks that differ by less than 2^-40 of their span count as level, which is less than float32 tells apart but
 * for the smallest. Reading all 98,304 ranks of a clip's pixels so often takes less time than sorting them.
 */
const HALVINGS = 40;

/** Puts the upper end of the search above the highest rank: a share of the span of ranks, and more than nothing. */
const BEYOND = 1e-4;
const SMALLEST = 1e-30;

/**
 * Each example's `value` [examples, ...dims] on its `count` [examples] coordinates of highest `rank` [examples, ...dims], zero elsewhere; nothing where
 * the count is below 1. Ties all stay: a count is not a bound where ranks are equal.
 */
export function keepHighest(
  b: ProgramBuilder,
  value: string,
  rank: string,
  count: string,
  dims: readonly number[],
): string {
  const size = dims.reduce((product, axis) => product * axis, 1);
  const ranks = b.reshape(rank, [-1, size]);
  const float = (condition: string) => b.op('Cast', [condition], { to: int(FLOAT32) });
  const whole = b.reshape(b.op('Floor', [b.plus(count, b.scalar(COUNT_SLACK))]), [-1, 1]);
  const wanted = b.op('Min', [whole, b.scalar(size)]);
  const highest = b.reduceMax(ranks, [1]);
  let low = b.negate(b.reduceMax(b.negate(ranks), [1]));
  let high = b.plus(highest, b.plus(b.times(b.minus(highest, low), b.scalar(BEYOND)), b.scalar(SMALLEST)));
  for (let round = 0; round < HALVINGS; round += 1) {
    const middle = b.times(b.plus(low, high), b.scalar(0.5));
    const reached = b.reduceSum(float(b.op('GreaterOrEqual', [ranks, middle])), [1]);
    const enough = b.op('GreaterOrEqual', [reached, wanted]);
    low = b.op('Where', [enough, middle, low]);
    high = b.op('Where', [enough, high, middle]);
  }
  const some = b.op('GreaterOrEqual', [whole, b.scalar(1)]);
  const chosen = b.op('And', [b.op('GreaterOrEqual', [ranks, low]), some]);
  const kept = b.op('Where', [chosen, b.reshape(value, [-1, size]), b.scalar(0)]);
  return b.reshape(kept, [-1, ...dims]);
}
