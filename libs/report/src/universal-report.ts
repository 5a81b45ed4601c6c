import type { Interval, RankingFigures } from '@faultline/metrics';
import type { AdversarialReference, AttackReport, CostReport, GoalReport, NormName, VariableReport } from './report.ts';

/** Which clips craft: those of a stratum, or those of a share of the independence groups. */
export type CraftingReport = { readonly stratum: string } | { readonly share: number };

/** A universal threat model as it was asked for. */
export interface UniversalModelReport {
  readonly name: string;
  readonly norm: NormName;
  readonly goal: GoalReport;
  /** `steps` are passes over the crafting clips. */
  readonly attack: AttackReport;
  readonly craft: CraftingReport;
  readonly seed: number;
  readonly scales: readonly number[];
}

/** What fresh predictions say of the test clips, all of them with the same perturbation. */
export interface UniversalFigures {
  /** Share of the test clips that have not the goal, neither when clean nor with the perturbation. */
  readonly robustAccuracy: number;
  /** 95 % bootstrap interval that resamples independence groups; null with fewer than two groups. */
  readonly interval: Interval | null;
  /** Of the test clips that had not the goal when clean, the share that has it now; null without such clips. */
  readonly success: number | null;
  readonly ranking: RankingFigures;
}

/** One perturbation for all clips. */
export interface UniversalRung {
  readonly scale: number;
  /** Budget of each variable, scale x rho. */
  readonly epsilons: Readonly<Record<string, number>>;
  /** Float64 norm of the perturbation of each variable, before clips limit it to their range: of the accumulating form what counts, in place of the budget. */
  readonly norms: Readonly<Record<string, number>>;
  /** Largest float64 norm of what a test clip was changed by. */
  readonly applied: Readonly<Record<string, number>>;
  /** Why it does not count: then it was not applied, and its figures are those of the clean clips. */
  readonly rejection: 'over-budget' | 'outside-region' | null;
  readonly attack: UniversalFigures;
  /** Of random noise of `norms`, the same for all clips. */
  readonly noise: UniversalFigures;
  /** After each pass, the share of the crafting clips that had the goal when the pass came to them: the attack's own, never a result. */
  readonly reachedByPass: readonly number[];
  /** By variable; null unless the campaign keeps adversarial tensors. */
  readonly perturbation: AdversarialReference | null;
}

/** What one perturbation for all clips does to a victim, on clips that it was not crafted on. */
export interface UniversalResult {
  readonly threatModel: string;
  readonly norm: NormName;
  readonly goal: GoalReport;
  readonly form: 'strict' | 'legacy';
  readonly variables: readonly VariableReport[];
  /** Identifiers of clips; no independence group is in both. */
  readonly crafted: readonly string[];
  readonly tested: readonly string[];
  /** Clips that share a group with both sides. */
  readonly leftOut: number;
  readonly clean: UniversalFigures;
  readonly rungs: readonly UniversalRung[];
  readonly cost: { readonly attack: CostReport; readonly verification: CostReport };
}
