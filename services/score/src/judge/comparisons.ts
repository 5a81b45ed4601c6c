import { holmAdjusted, meanDifferences } from '@faultline/metrics';
import type { ComparisonReport, LadderRow, ThreatModelResult, UncomparedReport } from '@faultline/report';

/** A victim's results as far as they are compared. */
export interface ComparedVictim {
  readonly name: string;
  readonly threatModels: readonly (Pick<ThreatModelResult, 'threatModel' | 'limit' | 'criticals' | 'assessment'> & {
    readonly ladder: readonly Pick<LadderRow, 'scale'>[];
  })[];
}

/**
 * What each clip adds to the robustness score: min(critical, E) / E. On a ladder, scales between its rungs count as the next one: a remedy finds such scales for
 * one victim, where the attacks on the others know the rungs alone.
 */
function clipScores(
  { criticals, limit, ladder }: ComparedVictim['threatModels'][number],
  isOnLadder: boolean,
): number[] {
  const next = (scale: number) => (isOnLadder ? (ladder.find((rung) => rung.scale >= scale)?.scale ?? limit) : scale);
  return criticals.map(
    ({ critical }) =>
      Math.min(critical === null || critical === 0 ? (critical ?? limit) : next(critical), limit) / limit,
  );
}

const isWithheld = ({ assessment }: Pick<ThreatModelResult, 'assessment'>) => assessment.verdict === 'withheld';

/** Results that are not compared, and why. */
export function uncomparedResults(victims: readonly ComparedVictim[]): UncomparedReport[] {
  return victims.flatMap(({ name: victim, threatModels }) =>
    threatModels.filter(isWithheld).map(({ threatModel, assessment: { reason } }) => ({ threatModel, victim, reason })),
  );
}

/** All pairs of a list, in its order. */
function pairsOf<Item>(items: readonly Item[]): [Item, Item][] {
  return items.flatMap((first, index) => items.slice(index + 1).map((second): [Item, Item] => [first, second]));
}

/**
 * Compares the robustness scores of every pair of victims under every threat model, paired over clips, with p-values that are
 * corrected for the number of comparisons (Holm). Results whose score is withheld are left out.
 * @param groups independence groups of each clip.
 */
export function compareVictims(
  victims: readonly ComparedVictim[],
  threatModels: readonly string[],
  groups: readonly (readonly string[])[],
  seed: number,
): ComparisonReport[] {
  const compared = threatModels.flatMap((threatModel) => {
    const results = victims.flatMap(({ name, threatModels: own }) => {
      const result = own.find((one) => one.threatModel === threatModel);
      return result === undefined || isWithheld(result) ? [] : [{ name, result }];
    });
    const isOnLadder = results.some(
      ({ result }) => result.assessment.verdict === 'remedied' && result.ladder.length > 0,
    );
    const scored = results.map(({ name, result }) => ({ name, scores: clipScores(result, isOnLadder) }));
    return pairsOf(scored).map(([first, second]) => ({
      threatModel,
      first: first.name,
      second: second.name,
      values: first.scores.map((score, clip) => score - (second.scores[clip] ?? Number.NaN)),
    }));
  });
  if (compared.length === 0) return [];
  const found = meanDifferences({ differences: compared.map(({ values }) => values), groups, seed });
  if (found === null) return [];
  const adjusted = holmAdjusted(found.map(({ pValue }) => pValue));
  return compared.flatMap(({ values: _values, ...names }, index) => {
    const one = found[index];
    if (one === undefined) return [];
    const { mean, interval, pValue } = one;
    return [{ ...names, difference: mean, interval, pValue, pHolm: adjusted[index] ?? 1 }];
  });
}
