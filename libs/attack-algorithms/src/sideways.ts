import type { AttackVariable } from './attack.ts';
import type { ProgramBuilder } from './program-builder.ts';

/**
 * The gradient [examples, ...dims] at x without what a descent would lose at the ends of the range: zero where x stands at an end and descent leads out.
 */
export function sideways(b: ProgramBuilder, gradient: string, { name, dims, low, high }: AttackVariable): string {
  const x = b.read(`x/${name}`, dims);
  const zero = b.scalar(0);
  const pastHigh = b.op('And', [b.op('GreaterOrEqual', [x, b.scalar(high)]), b.op('Less', [gradient, zero])]);
  const pastLow = b.op('And', [b.op('LessOrEqual', [x, b.scalar(low)]), b.op('Greater', [gradient, zero])]);
  return b.op('Where', [b.op('Or', [pastHigh, pastLow]), zero, gradient]);
}
