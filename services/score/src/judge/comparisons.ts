import { holmAdjusted, meanDifferences } from '@faultline/metrics';
import type { ComparisonReport, ThreatModelResult, UncomparedReport } from '@faultline/report';

/** A victim's results as far as they are compared. */
export interface ComparedVictim {
  readonly name: string;
  readonly threatModels: readonly Pick<ThreatModelResult, 'threatModel' | 'limit' | 'criticals' | 'assessment'>[];
}

/** What each clip adds to the robustness score: min(critical, E) / E. */
function clipScores({ criticals, limit }: Pick<ThreatModelResult, 'criticals' | 'limit'>): number[] {
  return criticals.map(({ critical }) => Math.min(critical ?? limit, limit) / limit);
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
    const scored = victims.flatMap(({ name, threatModels: results }) => {
      const result = results.find((one) => one.threatModel === threatModel);
      return result === undefined || isWithheld(result) ? [] : [{ name, scores: clipScores(result) }];
    });
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
