import { int } from '@faultline/onnx';
import type { ProgramBuilder } from './program-builder.ts';

/** ONNX's number for int64. */
const INT64 = 7;

/** Counts arrive as float32 products: one just below a whole number is meant to be that number. */
const COUNT_SLACK = 1e-3;

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
  const [values, places] = [b.fresh('ranked'), b.fresh('places')];
  b.add('TopK', [ranks, b.ints([size])], { axis: int(1) }, [values, places]);
  const whole = b.op('Floor', [b.plus(count, b.scalar(COUNT_SLACK))]);
  const last = b.op('Clip', [b.minus(whole, b.scalar(1)), b.scalar(0), b.scalar(size - 1)]);
  const lowest = b.op('GatherElements', [values, b.op('Cast', [b.reshape(last, [-1, 1])], { to: int(INT64) })], {
    axis: int(1),
  });
  const some = b.reshape(b.op('GreaterOrEqual', [whole, b.scalar(1)]), [-1, 1]);
  const chosen = b.op('And', [b.op('GreaterOrEqual', [ranks, lowest]), some]);
  const kept = b.op('Where', [chosen, b.reshape(value, [-1, size]), b.scalar(0)]);
  return b.reshape(kept, [-1, ...dims]);
}
