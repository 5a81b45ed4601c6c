import type { Victim } from '@faultline/victim';
import { boundarySides } from './boundary-sides.ts';
import { type BoundaryPoint, boundaryWalk } from './boundary-walk.ts';
import { type Directions, expectation, ownGradients, straightThrough } from './directions.ts';
import type { ProbedClips } from './probed-clips.ts';

/** A way around masked gradients. */
export interface Remedy {
  readonly name: string;
  /** For people: what the gradients it follows are. */
  readonly reason: string;
  readonly directions: Directions;
}

/** In the order in which they are tried, the cheapest first: all walk along the decision boundary. */
export const REMEDIES: readonly Remedy[] = [
  {
    name: 'boundary walk',
    reason: 'the gradients at the decision boundary, which tell its sides apart',
    directions: ownGradients,
  },
  {
    name: 'straight-through walk',
    reason: 'gradients that pass rounding as if it were not there, and tell the sides of the decision boundary apart',
    directions: straightThrough,
  },
  {
    name: 'expectation walk',
    reason: 'means of gradients at noisy copies, which tell the sides of the decision boundary apart',
    directions: expectation,
  },
];

/** What a remedy found, or why it is not to be believed. */
export interface RemedyOutcome {
  readonly found: readonly BoundaryPoint[];
  /** Undefined where its gradients are to be trusted. */
  readonly distrust: string | undefined;
}

export interface RemedyOptions {
  /** Steps of the walk. */
  readonly steps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Of the clips, the share whose gradients at the boundary must be true. */
const TRUSTED_SHARE = 0.9;

/** Tries a remedy on a batch of clips. */
export async function tryRemedy(
  { directions }: Remedy,
  victim: Victim,
  clips: ProbedClips,
  { steps, signal }: RemedyOptions,
): Promise<RemedyOutcome> {
  const found = await boundaryWalk(victim, clips, { steps, directions, signal });
  return { found, distrust: await distrustOf(victim, clips, found, { directions, signal }) };
}

/** Why the gradients on the boundary are not to be followed; undefined where they are. */
async function distrustOf(
  victim: Victim,
  clips: ProbedClips,
  found: readonly BoundaryPoint[],
  options: { readonly directions: Directions; readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  const lost = found.filter(({ scale }) => scale === undefined).length;
  if (lost > 0) return `no point beyond the decision boundary was found for ${lost} of ${found.length} clips`;
  const flat = found.filter(({ isFlat }) => isFlat).length;
  if (flat > 0) return `at the decision boundary those of ${flat} of ${found.length} clips are 0`;
  const parted = (await boundarySides(victim, clips, found, options)).filter(Boolean).length;
  if (parted >= TRUSTED_SHARE * found.length) return undefined;
  return `those of ${found.length - parted} of ${found.length} clips do not tell on which side of the decision boundary points lie`;
}
