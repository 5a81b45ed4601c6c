import type { AttackVariable } from './attack.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** Lowest and highest value of each coordinate: the ends of the range; of a narrowed one, the clean value where it lies beyond them. */
export function rangeEnds(b: ProgramBuilder, { name, dims, low, high, isNarrowed }: AttackVariable): [string, string] {
  if (isNarrowed !== true) return [b.scalar(low), b.scalar(high)];
  const x0 = b.read(`x0/${name}`, dims);
  return [b.op('Min', [x0, b.scalar(low)]), b.op('Max', [x0, b.scalar(high)])];
}

/** Limits values to the variable's range. */
export function clipToRange(b: ProgramBuilder, value: string, variable: AttackVariable): string {
  const [lowest, highest] = rangeEnds(b, variable);
  if (variable.isNarrowed !== true) return b.op('Clip', [value, lowest, highest]);
  return b.op('Max', [b.op('Min', [value, highest]), lowest]);
}

/** What sizes of steps are relative to, where they are not to the budget. */
export const widthOf = ({ low, high, width }: AttackVariable): number => width ?? high - low;
