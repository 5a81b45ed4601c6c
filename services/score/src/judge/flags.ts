import { type Censoring, type CriticalEpsilons, robustAccuracy, robustnessScore } from '@faultline/metrics';
import type { CandidateCounts, Flag, FlagCode } from '@faultline/report';
import type { JudgedAttack } from './attack-result.ts';

const CENSORING_MESSAGES: Readonly<Record<Exclude<Censoring, 'none'>, string>> = {
  above: 'the smallest budget already takes more than a tenth of the clean figure: add smaller budgets',
  below: 'the largest budget leaves more than a tenth of the clean figure: add larger budgets',
  both: 'the ladder spans neither 90 % nor 10 % of the clean figure: widen it at both ends',
};

/** What flags look at. */
export interface FlaggedResult {
  readonly attacks: readonly JudgedAttack[];
  readonly noises: readonly JudgedAttack[];
  /** Of the ledger over all attacks, and over all noise. */
  readonly criticals: CriticalEpsilons;
  readonly noiseCriticals: CriticalEpsilons;
  /** Of the ladder; empty: attacks search. */
  readonly scales: readonly number[];
  readonly limit: number;
  readonly censoring: Censoring;
  readonly clips: number;
}

type Counted = 'refuted' | 'overBudget' | 'outOfRange' | 'outsideRegion';

function countsOf({ result }: JudgedAttack): readonly CandidateCounts[] {
  return result.search === null ? result.rungs : [result.search];
}

function total(attacks: readonly JudgedAttack[], field: Counted): number {
  return attacks.flatMap(countsOf).reduce((sum, counts) => sum + counts[field], 0);
}

/** Clips on rungs without early stopping for which nothing came back. */
function missing(attacks: readonly JudgedAttack[], clips: number): number {
  const complete = attacks.flatMap(({ result }) => result.rungs.filter(({ success }) => success !== null));
  return complete.reduce((sum, { candidates }) => sum + clips - candidates, 0);
}

/** Clips on which an attack that sees no gradients needs less than all that see them, by more than searches differ. */
function knowledgeInversions(attacks: readonly JudgedAttack[], scales: readonly number[]): number {
  const seeing = attacks.filter(({ result }) => result.knowledge === 'gradients');
  const blind = attacks.filter(({ result }) => result.knowledge !== 'gradients');
  if (seeing.length === 0 || blind.length === 0) return 0;
  // Attacks on a ladder know its scales alone: what searches find between them counts as the next one.
  const onLadder = (scale: number) =>
    scales.length === 0 ? scale : (scales.find((rung) => rung >= scale) ?? Number.POSITIVE_INFINITY);
  const smallest = (some: readonly JudgedAttack[], clip: number) =>
    onLadder(Math.min(...some.map(({ criticals }) => criticals[clip] ?? Number.POSITIVE_INFINITY)));
  const clips = blind[0]?.criticals.length ?? 0;
  return Array.from({ length: clips }, (_, clip) => clip).filter(
    (clip) => smallest(blind, clip) * INVERSION_FACTOR < smallest(seeing, clip),
  ).length;
}

/** Critical scales this close are as good as equal: the tolerance of black-box attacks on linear victims. */
const INVERSION_FACTOR = 1.15;

/** Sanity flags of one threat model, in a fixed order; only those that apply. */
export function flagsOf(flagged: FlaggedResult): Flag[] {
  const { attacks, noises, censoring, clips } = flagged;
  const flags: Flag[] = [];
  const raise = (code: FlagCode, count: number, message: string): void => {
    if (count > 0) flags.push({ code, message, count });
  };
  const all = [...attacks, ...noises];
  raise('over-budget', total(all, 'overBudget'), 'candidates rejected: their float64 norm exceeds the budget');
  raise('out-of-range', total(all, 'outOfRange'), 'candidates rejected: a value is outside its range or not a number');
  raise('outside-region', total(all, 'outsideRegion'), 'candidates rejected: something changed outside their region');
  raise('refuted', total(attacks, 'refuted'), 'the attack believed the goal reached, a fresh prediction says no');
  raise(
    'silent-success',
    attacks.reduce((sum, { result }) => sum + (result.evidence?.silentSuccesses ?? 0), 0),
    'a point on the path reached the goal, and nothing that came back does',
  );
  raise(
    'missing-candidates',
    missing(attacks, clips),
    'a rung without early stopping returned no candidate for a clip; it counts as clean',
  );
  raise(
    'inversion',
    attacks.reduce((sum, { result }) => sum + result.rungs.reduce((own, rung) => own + rung.inversions, 0), 0),
    'a clip reached at a smaller budget was missed at a larger one',
  );
  raise(
    'knowledge-inversion',
    knowledgeInversions(attacks, flagged.scales),
    'an attack without gradients needs a smaller budget than those with them: gradients may be masked',
  );
  raiseNoise(flagged, raise);
  if (censoring !== 'none') raise('censored', 1, CENSORING_MESSAGES[censoring]);
  return flags;
}

/** An attack that is no better than noise found nothing. */
function raiseNoise(
  { criticals, noiseCriticals, noises, scales, limit }: FlaggedResult,
  raise: (code: FlagCode, count: number, message: string) => void,
): void {
  if (noises.length === 0) return;
  // Of a search there is one figure in the place of many: the score.
  const figures =
    scales.length === 0
      ? [[robustnessScore(criticals, limit), robustnessScore(noiseCriticals, limit)] as const]
      : scales.map((scale) => [robustAccuracy(criticals, scale), robustAccuracy(noiseCriticals, scale)] as const);
  const worse = figures.filter(([attacked, noisy]) => attacked > noisy).length;
  raise('no-better-than-noise', worse, 'at some budgets equal-norm random noise reaches more clips than the attack');
  if (worse === 0 && figures.every(([attacked, noisy]) => attacked === noisy)) {
    raise(
      'no-better-than-noise',
      figures.length,
      'at no budget does the attack reach more clips than equal-norm noise',
    );
  }
}
