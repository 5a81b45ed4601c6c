import type { DenseTensor } from '@faultline/contracts';
import type { NoiseDistribution, NoiseSlot } from '@faultline/victim';
import type { AttackSetting, ExampleBudget, NormName, Parameters } from './attack.ts';
import { bandConstants } from './band-projection.ts';
import type { MinimumNormExample } from './minimum-norm.ts';
import { maskName } from './projection.ts';
import { isWeighted, weightedConstants } from './weighted-ball.ts';

/** Name of the parameter that holds a variable's epsilon, [examples]. */
export const epsilonName = (variable: string) => `epsilon/${variable}`;

/** Each variable's epsilon, [examples]. */
export function epsilonParameters(setting: AttackSetting, examples: readonly ExampleBudget[]): Parameters {
  return Object.fromEntries(
    setting.variables.map(({ name }) => [
      epsilonName(name),
      Float32Array.from(examples, (budget) => budget.get(name) ?? 0),
    ]),
  );
}

/** The slots noise/V of all variables V, from the distribution that goes with a norm. */
export function variableNoise<Norm extends NormName>(
  { variables, norm: common }: AttackSetting<Norm>,
  distributionOf: (norm: Norm) => NoiseDistribution,
): NoiseSlot[] {
  return variables.map(({ name, dims, norm = common }) => ({ name, distribution: distributionOf(norm), dims }));
}

/** One value a step, the same for all examples: [steps x examples]. */
export function stepwise(values: readonly number[], examples: number): Float32Array {
  const rows = new Float32Array(values.length * examples);
  for (const [step, value] of values.entries()) rows.fill(value, step * examples, (step + 1) * examples);
  return rows;
}

/** Largest scale that is looked at, [examples]. */
export const largestScales = (examples: readonly MinimumNormExample[]): Parameters => ({
  largestScale: Float32Array.from(examples, ({ largestScale }) => largestScale),
});

/** Values that differ from step to step, the same for all examples, at steps first .. first + count - 1; at the last one where `count` is 0. */
export function pathParameters(
  paths: Readonly<Record<string, readonly number[]>>,
  examples: number,
  first: number,
  count: number,
): Parameters {
  const at = (path: readonly number[]) => (count === 0 ? path.slice(-1) : path.slice(first, first + count));
  return Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, stepwise(at(path), examples)]));
}

/** The constants that every program may read: thresholds [labels], and what each variable's region takes. */
export function settingConstants(setting: AttackSetting): Map<string, DenseTensor> {
  const constants = new Map<string, DenseTensor>();
  constants.set('thresholds', { dims: [setting.thresholds.length], data: Float32Array.from(setting.thresholds) });
  for (const variable of setting.variables) {
    const { name, dims, mask, band } = variable;
    if (isWeighted(variable)) for (const [slot, tensor] of weightedConstants(variable)) constants.set(slot, tensor);
    else if (band !== undefined) for (const [slot, tensor] of bandConstants(name, band)) constants.set(slot, tensor);
    else if (mask !== undefined) constants.set(maskName(name), { dims: [1, ...dims], data: mask });
  }
  return constants;
}
