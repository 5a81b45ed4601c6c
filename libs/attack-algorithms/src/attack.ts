import type { NoiseDistribution, Programs, Tensors } from '@faultline/victim';

/** Norms in which budgets are measured. */
export type NormName = 'linf' | 'l2';

/** An input that the attack may change. */
export interface AttackVariable {
  /** Name of the victim's input. */
  readonly name: string;
  /** Axis sizes of one example, for instance [samples] or [frames, 3, height, width]. */
  readonly dims: readonly number[];
  /** Range of its values. */
  readonly low: number;
  readonly high: number;
  /** 1 where a coordinate may change, 0 where not; one example's coordinates in row-major order. Default: all may. */
  readonly mask?: Float32Array | undefined;
}

/** What an attack is built for: everything but the clips and their budgets. */
export interface AttackSetting {
  readonly variables: readonly AttackVariable[];
  readonly norm: NormName;
  /** Gradient steps a restart. */
  readonly steps: number;
  /** Activation threshold of each label, in logits, in the order of the logits. */
  readonly thresholds: readonly number[];
  /** Typical spread of the logits; temperatures are relative to it. */
  readonly logitScale: number;
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
  /** Of noise/V, for every variable V. */
  readonly noise: NoiseDistribution;
  readonly constants: Tensors;
  /** Gradient steps a restart; with 0 only the starting points are evaluated. */
  readonly steps: number;
  /** Parameters of the init program. */
  initParameters(examples: readonly ExampleBudget[]): Parameters;
  /** Parameters of the steps first .. first + count - 1 of a restart; `count` 0: of an evaluation alone. */
  stepParameters(examples: readonly ExampleBudget[], first: number, count: number): Parameters;
}

/** A row of the catalogue. */
export interface AttackDefinition {
  readonly name: string;
  /** One sentence for people. */
  readonly summary: string;
  /** Where the algorithm comes from. */
  readonly source: string;
  readonly norms: readonly NormName[];
  /** True when it needs gradients of the victim. */
  readonly whiteBox: boolean;
  plan(setting: AttackSetting): AttackPlan;
}
