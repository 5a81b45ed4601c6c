import { int } from '@faultline/onnx';
import type { AttackVariable, NormName } from './attack.ts';
import { bestSlot } from './best-point.ts';
import type { MinimumNormSetting, ScaledVariable } from './minimum-norm.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { confined, LENGTHS, scaledTo } from './projection.ts';

/** Scale of "nothing found yet". */
export const NO_SCALE = 1e9;

/** Norm of each example's perturbation, [examples]; for L0 the number of coordinates that differ. */
export function sizeOf(b: ProgramBuilder, norm: NormName, delta: string, dims: readonly number[]): string {
  if (norm !== 'l0') return LENGTHS[norm](b, delta, dims);
  const moved = b.op('Cast', [b.op('Not', [b.op('Equal', [b.reshape(delta, [0, -1]), b.scalar(0)])])], { to: int(1) });
  return b.reduceSum(moved, [1], false);
}

/** The perturbations of all variables, by variable, and their joint scale max_v |delta_v| / rho_v, [examples]. */
export interface Perturbation {
  readonly deltas: ReadonlyMap<string, string>;
  readonly scale: string;
}

/** How far the evaluated point is from the clean one. */
export function perturbation(b: ProgramBuilder, norm: NormName, variables: readonly ScaledVariable[]): Perturbation {
  const deltas = new Map(
    variables.map(({ name, dims }) => [name, b.minus(b.read(`x/${name}`, dims), b.read(`x0/${name}`, dims))]),
  );
  const scales = variables.map(({ name, dims, rho }) =>
    b.over(sizeOf(b, norm, deltas.get(name) ?? '', dims), b.scalar(rho)),
  );
  return { deltas, scale: scales.length === 1 ? (scales[0] ?? '') : b.op('Max', scales) };
}

/** What a step program knows of the evaluated point after `updateSmallest`; each [examples]. */
export interface Standing {
  /** Whether it reached the goal (boolean). */
  readonly reached: string;
  /** Smallest scale with success so far, this point included; NO_SCALE without one. */
  readonly bestScale: string;
  /** Whether this point became the best one (boolean). */
  readonly improved: string;
}

/**
 * Part of an init program: the first start is the clean point; at a restart the best point stays, and the new start is a random point
 * half as far away as it. Writes next/V.
 */
export function startSmallest(b: ProgramBuilder, { norm, variables }: MinimumNormSetting): void {
  const known = b.read('state/bestScale');
  const started = b.op('Greater', [known, b.scalar(0)]);
  const best = b.op('Where', [started, known, b.scalar(NO_SCALE)]);
  b.write('next/state/bestScale', best);
  const found = b.op('Less', [best, b.scalar(NO_SCALE)]);
  const largest = b.read('param/largestScale');
  const radius = b.times(b.op('Where', [found, best, largest]), b.scalar(RESTART_SHARE));
  const away = b.op('Where', [started, radius, b.scalar(0)]);
  for (const variable of variables) {
    const { name, dims } = variable;
    const x0 = b.read(`x0/${name}`, dims);
    b.write(`next/${bestSlot(name)}`, b.op('Where', [b.spread(started, dims), b.read(bestSlot(name), dims), x0]), dims);
    const noise = confined(b, b.read(`noise/${name}`, dims), variable);
    // Sparse starts would leave most coordinates without a chance: L0 starts from a little noise everywhere.
    const delta =
      norm === 'l0'
        ? b.times(noise, b.spread(b.times(b.op('Sign', [away]), b.scalar(SPARSE_NOISE)), dims))
        : scaledTo(b, norm, noise, b.times(away, b.scalar(variable.rho)), dims);
    b.write(`next/${name}`, inRange(b, b.plus(x0, delta), variable), dims);
  }
}

/** How far restarts begin from the clean point, as a share of the best scale so far. */
const RESTART_SHARE = 0.5;

/** Size of the noise from which restarts in L0 begin. */
const SPARSE_NOISE = 0.01;

const inRange = (b: ProgramBuilder, value: string, { low, high }: AttackVariable) =>
  b.op('Clip', [value, b.scalar(low), b.scalar(high)]);

/**
 * Part of a step program: keeps the evaluated point, of this scale and margin [examples], where it reaches the goal and is smaller than the best
 * one so far, and reports it. A margin that is not a number reaches nothing.
 */
export function updateSmallest(
  b: ProgramBuilder,
  { variables, reachedMargin }: MinimumNormSetting,
  { scale, margin }: { readonly scale: string; readonly margin: string },
): Standing {
  const known = b.read('state/bestScale');
  const reached = b.op('LessOrEqual', [margin, b.scalar(reachedMargin)]);
  const improved = b.op('And', [reached, b.op('Less', [scale, known])]);
  const bestScale = b.op('Where', [improved, scale, known]);
  for (const { name, dims } of variables) {
    const point = b.op('Where', [b.spread(improved, dims), b.read(`x/${name}`, dims), b.read(bestSlot(name), dims)]);
    b.write(`next/${bestSlot(name)}`, point, dims);
  }
  b.write('next/state/bestScale', bestScale);
  b.write('outcome/scale', scale);
  b.write('outcome/margin', margin);
  b.write('outcome/bestScale', bestScale);
  return { reached, bestScale, improved };
}
