import { score } from '@faultline/contracts';
import type { Interval } from '@faultline/metrics';

/** What fresh predictions say of the test clips, as in the contract's UniversalFigures. */
export interface UniversalFiguresJson {
  readonly robustAccuracy: number;
  readonly interval: Interval | null;
  readonly success: number | null;
  readonly meanAveragePrecision: number | null;
}

/** One perturbation for all clips, at one budget. */
export interface UniversalRungJson {
  readonly scale: number;
  /** By variable: its budget, the norm that it reached, and the largest change of a test clip. */
  readonly epsilons: Readonly<Record<string, number>>;
  readonly norms: Readonly<Record<string, number>>;
  readonly applied: Readonly<Record<string, number>>;
  readonly rejection: 'over-budget' | 'outside-region' | null;
  readonly attack: UniversalFiguresJson;
  readonly noise: UniversalFiguresJson;
  readonly reachedByPass: readonly number[];
}

/** What one perturbation for all clips does to a victim, on clips that it was not crafted on. */
export interface UniversalScoreJson {
  readonly victim: string;
  readonly form: 'strict' | 'legacy';
  readonly crafted: readonly string[];
  readonly tested: readonly string[];
  readonly leftOut: readonly string[];
  readonly clean: UniversalFiguresJson;
  readonly rungs: readonly UniversalRungJson[];
}

export function universalScoreJson(from: score.UniversalScore): UniversalScoreJson {
  const { victim, accumulates, crafted, tested, leftOut, clean, rungs } = from;
  const form = accumulates ? 'legacy' : 'strict';
  return { victim, form, crafted, tested, leftOut, clean: figures(clean), rungs: rungs.map(rungJson) };
}

const REJECTIONS = new Map<score.UniversalRejection, UniversalRungJson['rejection']>([
  [score.UniversalRejection.UNIVERSAL_REJECTION_OVER_BUDGET, 'over-budget'],
  [score.UniversalRejection.UNIVERSAL_REJECTION_OUTSIDE_REGION, 'outside-region'],
]);

function rungJson({
  scale,
  variables,
  rejection,
  attack,
  noise,
  reachedByPass,
}: score.UniversalRung): UniversalRungJson {
  const by = (field: 'epsilon' | 'norm' | 'applied') =>
    Object.fromEntries(variables.map((one) => [one.variable, one[field]]));
  return {
    scale,
    epsilons: by('epsilon'),
    norms: by('norm'),
    applied: by('applied'),
    rejection: REJECTIONS.get(rejection) ?? null,
    attack: figures(attack),
    noise: figures(noise),
    reachedByPass,
  };
}

function figures(from: score.UniversalFigures | undefined): UniversalFiguresJson {
  const { robustAccuracy, low, high, success, meanAveragePrecision } = from ?? score.UniversalFigures.fromPartial({});
  return {
    robustAccuracy,
    interval: low === undefined || high === undefined ? null : { low, high },
    success: success ?? null,
    meanAveragePrecision: meanAveragePrecision ?? null,
  };
}
