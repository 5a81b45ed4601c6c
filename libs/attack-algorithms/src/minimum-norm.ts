import type { DenseTensor } from '@faultline/contracts';
import type { LoopMode, NoiseDistribution, Programs, Samples, Tensors } from '@faultline/victim';
import type { AttackDefinition, AttackSetting, AttackVariable, NormName, Parameters } from './attack.ts';
import type { ParameterSpecs, ParameterValues, ValuesOf } from './attack-parameters.ts';

/** A variable with its budget at scale 1. */
export interface ScaledVariable<Norm extends NormName = NormName> extends AttackVariable<Norm> {
  readonly rho: number;
  /** True: on each clip rho is a share of the size of the clean value (`variablesOn`). Default: an absolute size. */
  readonly isRelative?: boolean | undefined;
}

/** What a minimum-norm attack is built for: everything but the clips. */
export interface MinimumNormSetting<Norm extends NormName = NormName> extends AttackSetting<Norm> {
  readonly variables: readonly ScaledVariable<Norm>[];
  /** The goal counts as reached where the margin is at or below this: negative, so that a fresh prediction agrees. */
  readonly reachedMargin: number;
  /** The most true labels of a clip. */
  readonly mostTargets: number;
}

/** One clip of a minimum-norm attack. */
export interface MinimumNormExample {
  readonly clip: number;
  /** Largest scale that is looked at: what the ranges allow, or the caller's bound. */
  readonly largestScale: number;
}

/**
 * A minimum-norm attack, ready to run on any batch of its setting. Its programs keep the smallest point that reached the goal in `state/best/V`
 * (see smallest-point.ts), and report `outcome/scale` and `outcome/margin` of the evaluated point and `outcome/bestScale`; those that end by themselves also
 * `outcome/done`, 1 where no further step of this restart changes anything.
 */
export interface MinimumNormPlan {
  readonly programs: Programs;
  /** Of noise/V, for every variable V. */
  readonly noise: NoiseDistribution;
  readonly constants: Tensors;
  /** Default: with gradients. */
  readonly mode?: LoopMode | undefined;
  /** Evaluations of each example in a step. Default: one. */
  readonly samples?: Samples | undefined;
  /** Gradient steps a restart. */
  readonly steps: number;
  /** data/D of examples with these targets, float32 [examples, labels]. */
  data?(targets: DenseTensor<Float32Array>): Tensors;
  /** Parameters of the init program. */
  initParameters(examples: readonly MinimumNormExample[]): Parameters;
  /** Parameters of the steps first .. first + count - 1 of a restart; `count` 0: of an evaluation alone. */
  stepParameters(examples: readonly MinimumNormExample[], first: number, count: number): Parameters;
}

/** A row of the catalogue: an attack that looks for the smallest scale that reaches the goal. */
export interface MinimumNormDefinition extends Omit<AttackDefinition, 'kind' | 'plan'> {
  readonly kind: 'minimum norm';
  plan(setting: MinimumNormSetting, values: ParameterValues): MinimumNormPlan;
}

/** A row whose plan sees the norms and parameters that the row itself declares. */
export function defineMinimumNorm<const Norm extends NormName, const Specs extends ParameterSpecs>(
  row: Omit<MinimumNormDefinition, 'kind' | 'norms' | 'parameters' | 'plan'> & {
    readonly norms: readonly Norm[];
    readonly parameters: Specs;
    plan(setting: MinimumNormSetting<Norm>, values: ValuesOf<Specs>): MinimumNormPlan;
  },
): MinimumNormDefinition {
  const isOffered = (norm: NormName): norm is Norm => row.norms.some((offered) => offered === norm);
  return {
    ...row,
    kind: 'minimum norm',
    plan(setting, values) {
      const { norm } = setting;
      if (!isOffered(norm)) throw new RangeError(`attack '${row.name}' has no ${norm} form`);
      // The specifications say what each value is, and `checkParameters` has held the values against them.
      const variables = setting.variables.map((variable) => ({ ...variable, norm }));
      return row.plan({ ...setting, variables, norm }, values as ValuesOf<Specs>);
    },
  };
}
