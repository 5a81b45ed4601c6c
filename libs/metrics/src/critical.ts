/**
 * Smallest verified budget that reaches the goal on each clip, one entry a clip; null when no budget of the ladder did
 * ("> E"). 0 for a clip that was off when clean.
 */
export type CriticalEpsilons = readonly (number | null)[];

function requireClips(criticals: CriticalEpsilons): void {
  if (criticals.length === 0) throw new RangeError('figures over no clips are undefined');
}

/**
 * Robust deactivation accuracy RA(epsilon): share of clips whose goal no verified budget up to `epsilon` reached.
 * Falls with epsilon by construction. RA(0) is the share of clips that are on when clean.
 * @throws RangeError without clips.
 */
export function robustAccuracy(criticals: CriticalEpsilons, epsilon: number): number {
  requireClips(criticals);
  return criticals.filter((critical) => critical === null || critical > epsilon).length / criticals.length;
}

/**
 * Median critical epsilon: the smallest budget at which at least half of the clips are off, that is the smallest epsilon
 * with RA(epsilon) <= 1/2. Null ("> E") when fewer than half ever are; never imputed.
 * @throws RangeError without clips.
 */
export function medianCritical(criticals: CriticalEpsilons): number | null {
  return criticalQuantile(criticals, 0.5);
}

/**
 * The smallest budget at which at least this share of the clips, in (0, 1], is reached. Null ("> E") when fewer ever are; never imputed.
 * @throws RangeError without clips.
 */
export function criticalQuantile(criticals: CriticalEpsilons, share: number): number | null {
  requireClips(criticals);
  const reached = criticals.filter((critical) => critical !== null).toSorted((a, b) => a - b);
  return reached[Math.ceil(criticals.length * share) - 1] ?? null;
}

/**
 * Robustness score R = (1/E) integral from 0 to E of RA = mean(min(critical, E)) / E, in [0, 1].
 * @throws RangeError without clips or when `limit` (E) is not positive.
 */
export function robustnessScore(criticals: CriticalEpsilons, limit: number): number {
  requireClips(criticals);
  if (!(limit > 0)) throw new RangeError(`E must be positive but is ${limit}`);
  return (
    criticals.reduce<number>((sum, critical) => sum + Math.min(critical ?? limit, limit), 0) / criticals.length / limit
  );
}

/** Share of the clean figure that a ladder must leave at its lower end, and must take at its upper end. */
const SPAN_HIGH = 0.9;
const SPAN_LOW = 0.1;

/** Where a ladder fails to span the curve from 90 % down to 10 % of the clean figure; empty when it spans it. */
export type Censoring = 'none' | 'above' | 'below' | 'both';

/**
 * Whether the ladder spans RA from 90 % to 10 % of the clean figure. 'above': the smallest budget already takes more than a
 * tenth; 'below': the largest leaves more than a tenth. A victim with no clip on when clean is censored on both sides.
 * @throws RangeError without clips or rungs.
 */
export function ladderCensoring(criticals: CriticalEpsilons, epsilons: readonly number[]): Censoring {
  const first = epsilons.at(0);
  const last = epsilons.at(-1);
  if (first === undefined || last === undefined) throw new RangeError('a ladder has at least one rung');
  const clean = robustAccuracy(criticals, 0);
  if (clean === 0) return 'both';
  const above = robustAccuracy(criticals, first) < SPAN_HIGH * clean;
  const below = robustAccuracy(criticals, last) > SPAN_LOW * clean;
  if (above && below) return 'both';
  if (above) return 'above';
  return below ? 'below' : 'none';
}
