import type { Victim } from '@faultline/victim';
import { type Point, type ProbedClips, Questions } from './probed-clips.ts';
import { dualLength, type MovingVariable, steepestPoint } from './steepest-point.ts';

/** What a gradient claims at one clip's point, and what the victim does there. */
export interface GradientProbe {
  readonly clip: number;
  readonly margin: number;
  /** How fast the margin falls along the steepest direction, in logits a unit of scale, by the gradient. */
  readonly claimed: number;
  /** Scale at which every coordinate has crossed its whole range: what lies beyond cannot be reached. */
  readonly furthest: number;
  /** What of the claimed fall came about, seen by a prediction; undefined where nothing was claimed. */
  readonly fulfilled: number | undefined;
}

/**
 * The step is that which by the gradient lowers the margin by this share of the logits' spread: far enough that noise and rounding do not decide, near enough that
 * sound victims are nearly straight (the clean ones here fulfil 50 to 105 %).
 */
const CLAIMED_SHARE = 0.3;

export interface ProbeOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Compares the gradients of the margin with what the victim does along them. Looks at behaviour alone.
 * Cost: a gradient and a forward evaluation a clip.
 */
export async function probeGradients(
  victim: Victim,
  clips: ProbedClips,
  { signal }: ProbeOptions = {},
): Promise<GradientProbe[]> {
  const { card } = await victim.describe({ signal });
  const questions = new Questions(victim, clips, signal);
  const points = questions.clean;
  const all = points.map((_, clip) => clip);
  const { margins, gradients } = await questions.gradients(all, points);
  const furthest = Math.max(...clips.variables.map((variable) => crossing(variable, clips, points[0])));
  const claims = gradients.map((gradient) => claimOf(clips, gradient));
  const moving = all.filter((clip) => (claims[clip] ?? 0) > 0);
  const stepOf = (clip: number) => Math.min(furthest, (CLAIMED_SHARE * card.logitScale) / (claims[clip] ?? 1));
  const moved = moving.map((clip) =>
    steepest(clips, points[clip] ?? new Map(), gradients[clip] ?? new Map(), stepOf(clip)),
  );
  const below = await questions.margins(moving, moved);
  return all.map((clip) => {
    const margin = margins[clip] ?? Number.NaN;
    const claimed = claims[clip] ?? 0;
    const at = moving.indexOf(clip);
    const fall = margin - (below[at] ?? Number.NaN);
    return { clip, margin, claimed, furthest, fulfilled: at < 0 ? undefined : fall / (claimed * stepOf(clip)) };
  });
}

/** Scale at which a variable can have crossed its range in every coordinate. */
function crossing({ name, low, high, rho }: MovingVariable, { norm }: ProbedClips, point: Point | undefined): number {
  const coordinates = norm === 'linf' ? 1 : (point?.get(name)?.length ?? 1);
  return ((high - low) * Math.sqrt(coordinates)) / rho;
}

/** Fall of the margin a unit of scale, all variables together. */
export const claimOf = ({ variables, norm }: ProbedClips, gradient: Point): number =>
  variables.reduce((sum, { name, rho }) => sum + rho * dualLength(gradient.get(name) ?? new Float32Array(), norm), 0);

/** A point moved by a scale along the steepest direction. */
export const steepest = ({ variables, norm }: ProbedClips, point: Point, gradient: Point, scale: number): Point =>
  new Map(
    variables.map((variable) => {
      const { name, rho } = variable;
      const [values, slopes] = [point.get(name) ?? new Float32Array(), gradient.get(name) ?? new Float32Array()];
      return [name, steepestPoint(values, slopes, scale * rho, variable, norm)];
    }),
  );
