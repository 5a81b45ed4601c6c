import type { AttackVariable } from './attack.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** Margin of "nothing found yet". */
export const NO_MARGIN = 1e9;

/** The slot in which an attack keeps a variable's lowest-margin iterate. */
export const bestSlot = (variable: string) => `state/best/${variable}`;

/**
 * Part of an init program: at the first start, when all state is zero, the best point becomes the clean one without a margin;
 * at a restart it stays.
 */
export function keepBest(b: ProgramBuilder, variables: readonly AttackVariable[]): void {
  const started = b.op('Greater', [b.read('state/started'), b.scalar(0)]);
  b.write('next/state/started', b.op('Max', [b.read('state/started'), b.scalar(1)]));
  b.write('next/state/bestMargin', b.op('Where', [started, b.read('state/bestMargin'), b.scalar(NO_MARGIN)]));
  for (const { name, dims } of variables) {
    const best = b.read(bestSlot(name), dims);
    const kept = b.op('Where', [b.spread(started, dims), best, b.read(`x0/${name}`, dims)]);
    b.write(`next/${bestSlot(name)}`, kept, dims);
  }
}

/**
 * Part of a step program: takes the evaluated point for the best one where its margin [examples] is lower, and reports both
 * margins. A margin that is not a number is never lower.
 */
export function updateBest(b: ProgramBuilder, variables: readonly AttackVariable[], margin: string): void {
  const known = b.read('state/bestMargin');
  const lower = b.op('Less', [margin, known]);
  const best = b.op('Where', [lower, margin, known]);
  for (const { name, dims } of variables) {
    const point = b.op('Where', [b.spread(lower, dims), b.read(`x/${name}`, dims), b.read(bestSlot(name), dims)]);
    b.write(`next/${bestSlot(name)}`, point, dims);
  }
  b.write('next/state/bestMargin', best);
  b.write('outcome/margin', margin);
  b.write('outcome/bestMargin', best);
}
