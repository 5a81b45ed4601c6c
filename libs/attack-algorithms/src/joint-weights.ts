import type { ScaledVariable } from './minimum-norm.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** Bounds of the logarithm of a weight: what does not help is all but free, and no weight grows without end. */
const SMALLEST_LOG = -12;

const slot = (variable: string) => `state/joint-weight/${variable}`;

/** Part of an init program: all variables weigh the same. `none` [examples] is zero. */
export function startJointWeights(b: ProgramBuilder, variables: readonly ScaledVariable[], none: string): void {
  if (variables.length > 1) for (const { name } of variables) b.write(`next/${slot(name)}`, none);
}

/**
 * Part of a step program: the prices of size in several variables that share a scale, each [examples], 1 for the dearest. A price rises with the share that its variable has of
 * the joint scale: these are the multipliers of min s so that |delta_v| / rho_v <= s, found by exponentiated ascent. `shares`: |delta_v| / rho_v over their largest, [examples];
 * `rate` [examples]: how fast prices follow.
 */
export function jointWeights(
  b: ProgramBuilder,
  variables: readonly ScaledVariable[],
  shares: ReadonlyMap<string, string>,
  rate: string,
): Map<string, string> {
  const [only] = variables;
  if (variables.length === 1 && only !== undefined) {
    return new Map([[only.name, b.plus(b.times(rate, b.scalar(0)), b.scalar(1))]]);
  }
  const moved = variables.map(({ name }) =>
    b.plus(b.read(slot(name)), b.times(rate, b.minus(shares.get(name) ?? '', b.scalar(1)))),
  );
  const highest = b.op('Max', moved);
  return new Map(
    variables.map(({ name }, index) => {
      const logarithm = b.op('Max', [b.minus(moved[index] ?? '', highest), b.scalar(SMALLEST_LOG)]);
      b.write(`next/${slot(name)}`, logarithm);
      return [name, b.op('Exp', [logarithm])];
    }),
  );
}
