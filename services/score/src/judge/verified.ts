import { isReached, type VictimUnderTest } from '../peers/victim-under-test.ts';
import { type Goal, goalMargin } from './goal.ts';
import type { Candidate, Inspection, Measured } from './inspect.ts';

/** What a candidate turned out to be. */
export type Verdict = 'reached' | 'failed' | 'over-budget' | 'out-of-range' | 'outside-region';

/** A candidate after a fresh prediction (or after its rejection, which needs none). */
export interface Verified {
  /** Undefined: found by a search. */
  readonly rung: number | undefined;
  readonly clip: number;
  /** The budget at which it counts. */
  readonly scale: number;
  readonly verdict: Verdict;
  /** The attack believed the goal reached, and the fresh prediction says no. */
  readonly refuted: boolean;
  readonly measured: ReadonlyMap<string, Measured>;
  /** Fresh logits, [labels]; undefined for rejected candidates. */
  readonly logits: Float32Array | undefined;
  /** Fresh margin; undefined for rejected candidates. */
  readonly margin: number | undefined;
  /** Of a success of an attack over shifts: at which share of the held-out onsets it still is one. */
  readonly heldOutShare?: number;
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
  goal: Goal,
): Verified {
  const { rung, clip } = candidate;
  const { measured, scale, rejection } = inspection;
  if (rejection !== undefined || logits === undefined) {
    return {
      rung,
      clip,
      scale,
      verdict: rejection ?? 'failed',
      refuted: false,
      measured,
      logits: undefined,
      margin: undefined,
    };
  }
  const margin = goalMargin(victim, goal, logits, labels);
  const reached = isReached(victim, margin);
  const refuted = !reached && isReached(victim, candidate.believedMargin);
  // A copy: the row is a view of a whole batch, which would stay in memory with it.
  const verdict = reached ? 'reached' : 'failed';
  return { rung, clip, scale, verdict, refuted, measured, logits: logits.slice(), margin };
}
