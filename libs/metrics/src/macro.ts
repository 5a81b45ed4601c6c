import { normalInverseCdf } from './normal.ts';
import { areaUnderCurve, averagePrecision } from './ranking.ts';

/** Scores and truths of a test set, row-major [clips, labels]; a truth above 0.5 is positive. */
export interface ScoredSet {
  readonly labels: number;
  readonly scores: ArrayLike<number>;
  readonly targets: ArrayLike<number>;
}

/** A label for which a figure does not exist on this set. */
export interface UndefinedLabel {
  /** Index of the label in the logits. */
  readonly label: number;
  readonly reason: 'no positive clip' | 'no negative clip';
}

/** Ranking figures of a test set. A figure is null when no label defines it. */
export interface RankingFigures {
  readonly clips: number;
  /** Mean of the average precisions over the labels with a positive clip. */
  readonly meanAveragePrecision: number | null;
  /** Mean of the ROC areas over the labels with a positive and a negative clip. */
  readonly areaUnderCurve: number | null;
  /** d' = sqrt(2) Phi^-1(macro AUC). */
  readonly dPrime: number | null;
  /** True when the AUC was 0 or 1, or so near that the set cannot tell: d' is then the bound that the set's size allows. */
  readonly dPrimeBounded: boolean;
  /** Labels left out of the means, with the reason; a label without a positive is left out of both means, one without a
   * negative out of the AUC. */
  readonly undefinedLabels: readonly UndefinedLabel[];
}

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * d' = sqrt(2) Phi^-1(auc), the separation of two unit normals with this ROC area.
 *
 * At `auc` = 1 that is infinite although a finite set cannot show it. The AUC is therefore kept half a pair away from 0
 * and 1: in [1/(2 pairs), 1 - 1/(2 pairs)], as Macmillan & Kaplan (1985) do for hit rates.
 * @param pairs number of (positive, negative) pairs behind the AUC, at least 1.
 */
export function dPrime(auc: number, pairs: number): { readonly dPrime: number; readonly bounded: boolean } {
  if (!(pairs >= 1)) throw new RangeError(`pairs must be at least 1 but is ${pairs}`);
  const margin = 1 / (2 * pairs);
  const kept = Math.min(Math.max(auc, margin), 1 - margin);
  return { dPrime: Math.SQRT2 * normalInverseCdf(kept), bounded: kept !== auc };
}

/**
 * Macro mAP, macro ROC AUC and d' of a scored set.
 * @throws RangeError when sizes disagree or a score is NaN.
 */
export function rankingFigures(set: ScoredSet): RankingFigures {
  const { labels, scores, targets } = set;
  if (scores.length !== targets.length || scores.length % labels !== 0) {
    throw new RangeError(`${scores.length} scores and ${targets.length} targets are not rows of ${labels} labels`);
  }
  const clips = scores.length / labels;
  const precisions: number[] = [];
  const areas: number[] = [];
  const undefinedLabels: UndefinedLabel[] = [];
  let pairs = 0;
  for (let label = 0; label < labels; label += 1) {
    const column = (values: ArrayLike<number>) =>
      Array.from({ length: clips }, (_, clip) => values[clip * labels + label] ?? Number.NaN);
    const positives = column(targets).map((target) => target > 0.5);
    const scored = { scores: column(scores), positives };
    const precision = averagePrecision(scored);
    const area = areaUnderCurve(scored);
    if (precision === undefined) undefinedLabels.push({ label, reason: 'no positive clip' });
    else precisions.push(precision);
    if (area === undefined) {
      if (precision !== undefined) undefinedLabels.push({ label, reason: 'no negative clip' });
    } else {
      areas.push(area);
      const positiveCount = positives.filter(Boolean).length;
      pairs += positiveCount * (clips - positiveCount);
    }
  }
  const auc = mean(areas);
  const separation = auc === null ? null : dPrime(auc, pairs);
  return {
    clips,
    meanAveragePrecision: mean(precisions),
    areaUnderCurve: auc,
    dPrime: separation?.dPrime ?? null,
    dPrimeBounded: separation?.bounded ?? false,
    undefinedLabels,
  };
}
