import type { Censoring } from '@faultline/metrics';
import type { Flag, FlagCode, LadderRow, RawRung } from '@faultline/report';

const CENSORING_MESSAGES: Readonly<Record<Exclude<Censoring, 'none'>, string>> = {
  above: 'the smallest budget already takes more than a tenth of the clean figure: add smaller budgets',
  below: 'the largest budget leaves more than a tenth of the clean figure: add larger budgets',
  both: 'the ladder spans neither 90 % nor 10 % of the clean figure: widen it at both ends',
};

function total(rungs: readonly RawRung[], field: 'inversions' | 'refuted' | 'overBudget' | 'outOfRange'): number {
  return rungs.reduce((sum, rung) => sum + rung[field], 0);
}

/** Sanity flags of one threat model's ladder, in a fixed order; only those that apply. */
export function flagsOf(ladder: readonly LadderRow[], censoring: Censoring, missing: number): Flag[] {
  const flags: Flag[] = [];
  const raise = (code: FlagCode, count: number, message: string): void => {
    if (count > 0) flags.push({ code, message, count });
  };
  const attacks = ladder.map((row) => row.attack);
  const all = [...attacks, ...ladder.map((row) => row.noise)];
  raise('over-budget', total(all, 'overBudget'), 'candidates rejected: their float64 norm exceeds the budget');
  raise('out-of-range', total(all, 'outOfRange'), 'candidates rejected: a value is outside its range or not a number');
  raise('refuted', total(attacks, 'refuted'), 'the attack believed the goal reached, a fresh prediction says no');
  raise(
    'missing-candidates',
    missing,
    'a rung without early stopping returned no candidate for a clip; it counts as clean',
  );
  raise('inversion', total(attacks, 'inversions'), 'a clip reached at a smaller budget was missed at a larger one');
  const worse = ladder.filter((row) => row.robustAccuracy > row.noise.robustAccuracy).length;
  raise(
    'no-better-than-noise',
    worse,
    'at some budgets equal-norm random noise deactivates more clips than the attack',
  );
  const moved = ladder.some((row) => row.robustAccuracy < row.noise.robustAccuracy);
  if (worse === 0 && !moved) {
    raise(
      'no-better-than-noise',
      ladder.length,
      'at no budget does the attack deactivate more clips than equal-norm noise',
    );
  }
  if (censoring !== 'none') raise('censored', 1, CENSORING_MESSAGES[censoring]);
  return flags;
}
