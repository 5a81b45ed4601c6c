import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { isDeactivated, marginOf } from '../peers/victim-under-test.ts';
import type { Candidate, Inspection, Measured } from './inspect.ts';

/** What a candidate turned out to be. */
export type Verdict = 'reached' | 'failed' | 'over-budget' | 'out-of-range';

/** A candidate after a fresh prediction (or after its rejection, which needs none). */
export interface Verified {
  readonly rung: number;
  readonly clip: number;
  readonly verdict: Verdict;
  /** The attack believed the goal reached, and the fresh prediction says no. */
  readonly refuted: boolean;
  readonly measured: ReadonlyMap<string, Measured>;
  /** Fresh logits, [labels]; undefined for rejected candidates. */
  readonly logits: Float32Array | undefined;
  /** Fresh margin; undefined for rejected candidates. */
  readonly margin: number | undefined;
}

/**
 * Judges a candidate by the fresh logits of its final tensors.
 * @param logits [labels]; undefined exactly when the inspection rejected it.
 */
export function judgeCandidate(
  candidate: Candidate,
  inspection: Inspection,
  logits: Float32Array | undefined,
  labels: readonly string[],
  victim: VictimUnderTest,
): Verified {
  const { rung, clip } = candidate;
  const { measured, rejection } = inspection;
  if (rejection !== undefined || logits === undefined) {
    return {
      rung,
      clip,
      verdict: rejection ?? 'failed',
      refuted: false,
      measured,
      logits: undefined,
      margin: undefined,
    };
  }
  const margin = marginOf(victim, logits, labels);
  const reached = isDeactivated(victim, margin);
  const refuted = !reached && isDeactivated(victim, candidate.believedMargin);
  // A copy: the row is a view of a whole batch, which would stay in memory with it.
  return { rung, clip, verdict: reached ? 'reached' : 'failed', refuted, measured, logits: logits.slice(), margin };
}
