import type { LoopMode, NoiseSlot, Programs, Samples, TapDescription, Tensors } from '@faultline/victim';
import type { ParameterSpecs, ParameterValues, ValuesOf } from './attack-parameters.ts';
import type { BandRegion } from './band-region.ts';
import type { Goal } from './goals.ts';
import type { WeightedRegion } from './weighted-region.ts';

/** Norms in which budgets are measured. */
export type NormName = 'linf' | 'l2' | 'l1' | 'l0';

/** An input or a tap that the attack may change. */
export interface AttackVariable<Norm extends NormName = NormName> {
  /** Name of the victim's input, or of its tap. */
  readonly name: string;
  /** Axis sizes of one example, for instance [samples] or [frames, 3, height, width]. */
  readonly dims: readonly number[];
  /** Range of its values. */
  readonly low: number;
  readonly high: number;
  /** True: a tap. Its values have no range; `low` and `high` are beyond all that a victim computes. */
  readonly isTap?: boolean | undefined;
  /** What sizes of steps are relative to, where they are not to the budget. Default: high - low. */
  readonly width?: number | undefined;
  /** 1 where a coordinate may change, 0 where not; one example's coordinates in row-major order. Default: all may. */
  readonly mask?: Float32Array | undefined;
  /** The frequencies and times to which the perturbation is confined. Default: none. Not together with a mask. */
  readonly band?: BandRegion | undefined;
  /** How coefficients are weighted, where the budget is one of weighted coefficients; not together with mask, band or frames. Default: the samples are measured. */
  readonly weighted?: WeightedRegion | undefined;
  /** Norm of its budget. Default: the setting's. */
  readonly norm?: Norm | undefined;
  /** Coordinates of a frame, where the budget holds in each frame by itself (the last one may be shorter). Default: it holds for all together. */
  readonly frameSize?: number | undefined;
  /** Factor on the sizes of its steps. Default: 1. */
  readonly stepScale?: number | undefined;
  /** True: low and high are narrower than the domain, and a clean value beyond them may stay, or come closer. */
  readonly isNarrowed?: boolean | undefined;
}

/** What an attack is built for: everything but the clips and their budgets. */
export interface AttackSetting<Norm extends NormName = NormName> {
  readonly variables: readonly AttackVariable<Norm>[];
  /** Of variables that have none of their own. */
  readonly norm: Norm;
  /** Gradient steps a restart. */
  readonly steps: number;
  /** Activation threshold of each label, in logits, in the order of the logits. */
  readonly thresholds: readonly number[];
  /** Typical spread of the logits; temperatures are relative to it. */
  readonly logitScale: number;
  /** Default: all true labels are to be deactivated. */
  readonly goal?: Goal | undefined;
  /** The victim's taps, which objectives may read. Default: none. */
  readonly taps?: readonly TapDescription[] | undefined;
}

/** Epsilon of each variable of one example, already rounded inward (see `inwardEpsilon`). */
export type ExampleBudget = ReadonlyMap<string, number>;

/** Per-example parameters of a program: [examples] or [steps x examples]. */
export type Parameters = Readonly<Record<string, Float32Array>>;

/**
 * An attack, ready to run on any batch of its setting. Its programs keep the lowest-margin iterate in `state/best/V`, and
 * report `outcome/margin` (the evaluated point) and `outcome/bestMargin` (the lowest so far, restarts included).
 */
export interface AttackPlan {
  readonly programs: Programs;
  /** What the programs may read: noise/V of every variable V, and what else they need. */
  readonly noise: readonly NoiseSlot[];
  /** Default: with gradients. */
  readonly mode?: LoopMode | undefined;
  /** Evaluations of each example in each step. Default: one, without a sample axis. */
  readonly samples?: Samples | undefined;
  readonly constants: Tensors;
  /** Gradient steps a restart; with 0 only the starting points are evaluated. */
  readonly steps: number;
  /** Parameters of the init program. */
  initParameters(examples: readonly ExampleBudget[]): Parameters;
  /** Parameters of the steps first .. first + count - 1 of a restart; `count` 0: of an evaluation alone. */
  stepParameters(examples: readonly ExampleBudget[], first: number, count: number): Parameters;
}

/** What an attack looks for: the lowest margin within a budget, or (a baseline) nothing. */
export type AttackKind = 'fixed budget' | 'baseline';

/** What an attack must know of its victim. */
export type AttackKnowledge = 'gradients' | 'scores' | 'labels' | 'nothing';

/** A row of the catalogue. */
export interface AttackDefinition {
  readonly name: string;
  /** One sentence for people. */
  readonly summary: string;
  /** Where the algorithm comes from. */
  readonly source: string;
  readonly kind: AttackKind;
  readonly knowledge: AttackKnowledge;
  readonly norms: readonly NormName[];
  /** Norms that variables may have side by side, each with frames, steps and range of its own. Default: none, all are alike. */
  readonly mixes?: readonly NormName[];
  /** How many inputs it can attack at once. Default: any number. */
  readonly mostVariables?: number;
  /** Whether it can attack taps, whose values have no range. Default: it cannot. */
  readonly attacksTaps?: boolean;
  /** Whether it crafts on another victim, with gradients; `knowledge` is then what it asks of the victim under attack. Default: it does not. */
  readonly needsSurrogate?: boolean;
  /** Taps that the victim must have. Default: none. */
  readonly taps?: readonly string[];
  /** Whether these taps must hold equally many values. */
  readonly equalTaps?: boolean;
  /** Goals that it can be told. Default: all. */
  readonly goals?: readonly Goal['kind'][];
  /** What it can be told beside steps and restarts, by name. */
  readonly parameters: ParameterSpecs;
  /** `values`: one of each parameter, as its specification allows; `setting.norm`: one of `norms`. */
  plan(setting: AttackSetting, values: ParameterValues): AttackPlan;
  /** Of an ensemble: attacks that run one after another in the place of `plan`, each on what still stands. Ladders only. */
  members?(setting: AttackSetting, values: ParameterValues): readonly AttackPlan[];
}

/** A row whose plan sees the norms and parameters that the row itself declares. */
export function defineAttack<const Norm extends NormName, const Specs extends ParameterSpecs>(
  row: Omit<AttackDefinition, 'norms' | 'parameters' | 'plan' | 'members'> & {
    readonly norms: readonly Norm[];
    readonly parameters: Specs;
    plan(setting: AttackSetting<Norm>, values: ValuesOf<Specs>): AttackPlan;
    members?(setting: AttackSetting<Norm>, values: ValuesOf<Specs>): readonly AttackPlan[];
  },
): AttackDefinition {
  const { plan, members, ...rest } = row;
  const isOffered = (norm: NormName): norm is Norm => row.norms.some((offered) => offered === norm);
  const inNorm = (setting: AttackSetting): AttackSetting<Norm> => {
    const offered = (norm: NormName) => {
      if (!isOffered(norm)) throw new RangeError(`attack '${row.name}' has no ${norm} form`);
      return norm;
    };
    const variables = setting.variables.map(({ norm = setting.norm, ...variable }) => ({
      ...variable,
      norm: offered(norm),
    }));
    return { ...setting, variables, norm: offered(setting.norm) };
  };
  // The specifications say what each value is, and `checkParameters` has held the values against them.
  const typed = (values: ParameterValues) => values as ValuesOf<Specs>;
  const definition = {
    ...rest,
    plan: (setting: AttackSetting, values: ParameterValues) => plan(inNorm(setting), typed(values)),
  };
  if (members === undefined) return definition;
  return { ...definition, members: (setting, values) => members(inNorm(setting), typed(values)) };
}
