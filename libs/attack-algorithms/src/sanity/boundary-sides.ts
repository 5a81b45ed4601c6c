import { type Victim, verdictTolerance } from '@faultline/victim';
import type { BoundaryPoint } from './boundary-walk.ts';
import { type Directions, ownGradients } from './directions.ts';
import { steepest } from './gradient-probe.ts';
import { type ProbedClips, Questions } from './probed-clips.ts';

/** Steps to both sides of the boundary, in shares of the point's own scale. */
const STEPS = [0.01, 0.03] as const;

/**
 * Whether the gradient at a point on the boundary tells which side is which: a little way down it the goal is reached, a little way up it is not. Of a gradient that
 * points nowhere that is luck, once in sixteen. It asks for decisions alone, so that it holds for outputs that are flat beyond the boundary.
 * Clips that are off when clean (scale 0) have no boundary to look at, and count as told.
 */
export async function boundarySides(
  victim: Victim,
  clips: ProbedClips,
  found: readonly BoundaryPoint[],
  {
    directions = ownGradients,
    signal,
  }: { readonly directions?: Directions | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<boolean[]> {
  const { card } = await victim.describe({ signal });
  const questions = new Questions(victim, clips, signal);
  const standing = found.flatMap(({ clip, point, scale = 0 }) => (scale > 0 ? [{ clip, point, scale }] : []));
  const rows = standing.map(({ clip }) => clip);
  const gradients = await directions(questions, clips, standing);
  const wrong = new Set<number>();
  for (const step of STEPS.flatMap((share) => [share, -share])) {
    const points = standing.map(({ point, scale }, row) =>
      steepest(clips, point, gradients[row] ?? new Map(), step * scale),
    );
    const margins = await questions.margins(rows, points);
    for (const [row, clip] of rows.entries()) {
      const isReached = (margins[row] ?? Number.NaN) <= -verdictTolerance(card);
      if (isReached !== step > 0) wrong.add(clip);
    }
  }
  return found.map(({ clip }) => !wrong.has(clip));
}
