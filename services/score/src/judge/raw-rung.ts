import { HELD_OUT_ONSETS } from '@faultline/attack-algorithms';
import { attack } from '@faultline/contracts';
import { type RankingFigures, rankingFigures } from '@faultline/metrics';
import type { CandidateCounts, HeldOutShifts, MeasuredPerturbation, RawRung } from '@faultline/report';
import type { CleanRun } from './clean-run.ts';
import type { Verified } from './verified.ts';

/** Lower median: an element of the list, so that it is a value that was measured. */
export function medianOf(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length / 2) - 1];
}

function measuredPerturbations(
  verified: readonly Verified[],
  variables: readonly string[],
): Record<string, MeasuredPerturbation> {
  const entries = variables.flatMap((variable): [string, MeasuredPerturbation][] => {
    const sizes = verified.flatMap((one) => one.measured.get(variable) ?? []);
    const norms = sizes.map((size) => size.norm).filter(Number.isFinite);
    const median = medianOf(norms);
    if (median === undefined) return [];
    return [
      [
        variable,
        {
          max: norms.reduce((a, b) => Math.max(a, b)),
          median,
          medianRootMeanSquare: medianOf(sizes.map((size) => size.rootMeanSquare)) ?? 0,
          medianDecibels: medianOf(sizes.flatMap((size) => size.decibels ?? [])) ?? null,
          medianLoudness: medianOf(sizes.flatMap((size) => size.loudness ?? [])) ?? null,
        },
      ],
    ];
  });
  return Object.fromEntries(entries);
}

/**
 * Logits of all clips at a rung without early stopping, [clips, labels]: the fresh ones of each clip's lowest-margin candidate. A clip without an
 * acceptable candidate keeps its clean logits: no attack within budget was shown for it.
 */
function attackedLogits(verified: readonly Verified[], clean: CleanRun): Float32Array {
  const logits = clean.logits.slice();
  const lowest = new Map<number, number>();
  for (const { clip, margin, logits: fresh } of verified) {
    if (fresh === undefined || margin === undefined || !(margin < (lowest.get(clip) ?? Number.POSITIVE_INFINITY)))
      continue;
    lowest.set(clip, margin);
    logits.set(fresh, clip * clean.labels);
  }
  return logits;
}

/** mAP, AUC, d' of all clips at a rung without early stopping: of each its lowest-margin candidate. */
export function attackedRanking(verified: readonly Verified[], clean: CleanRun): RankingFigures {
  return rankingFigures({ labels: clean.labels, scores: attackedLogits(verified, clean), targets: clean.targets });
}

/** How successes of attacks over shifts bear shifts that the attack has not drawn. */
function heldOutShifts(verified: readonly Verified[]): HeldOutShifts | null {
  const shares = verified.flatMap(({ heldOutShare }) => heldOutShare ?? []);
  if (shares.length === 0) return null;
  return {
    onsets: HELD_OUT_ONSETS,
    successes: shares.length,
    share: shares.reduce((sum, share) => sum + share, 0) / shares.length,
  };
}

/** What became of candidates. */
export function candidateCounts(verified: readonly Verified[], variables: readonly string[]): CandidateCounts {
  const count = (test: (one: Verified) => boolean) => verified.filter(test).length;
  return {
    candidates: verified.length,
    verified: count((one) => one.verdict === 'reached'),
    refuted: count((one) => one.refuted),
    overBudget: count((one) => one.verdict === 'over-budget'),
    outOfRange: count((one) => one.verdict === 'out-of-range'),
    outsideRegion: count((one) => one.verdict === 'outside-region'),
    measured: measuredPerturbations(verified, variables),
    heldOutShifts: heldOutShifts(verified),
  };
}

/**
 * What one attack's candidates at one rung turned out to be.
 * @param verified the rung's candidates.
 * @param reachedBelow clips that a candidate of a smaller rung of the same attack reached.
 */
export function rawRung(
  rung: attack.Rung,
  verified: readonly Verified[],
  reachedBelow: ReadonlySet<number>,
  variables: readonly string[],
  clean: CleanRun,
): RawRung {
  const never = rung.stopping === attack.Stopping.STOPPING_NEVER;
  const counts = candidateCounts(verified, variables);
  return {
    ...counts,
    success: never ? counts.verified / clean.clips : null,
    inversions: never ? verified.filter((one) => one.verdict === 'failed' && reachedBelow.has(one.clip)).length : 0,
    ranking: never ? attackedRanking(verified, clean) : null,
  };
}
