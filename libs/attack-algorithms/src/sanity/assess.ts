import type { Victim } from '@faultline/victim';
import { boundarySides } from './boundary-sides.ts';
import { type BoundaryPoint, boundaryWalk } from './boundary-walk.ts';
import { probeGradients } from './gradient-probe.ts';
import { type ClipEvidence, type Finding, findingsOf } from './indicators.ts';
import type { ProbedClips } from './probed-clips.ts';

/**
 * What an attack's figures are worth. `sound`: nothing speaks against them. `remedied`: the gradients are masked, and a walk along the boundary,
 * where they are not, found these scales instead. `withheld`: they are masked there too; no attack here would find the victim's
 * true budgets, and none is to be reported.
 */
export type Assessment =
  | { readonly verdict: 'sound'; readonly findings: readonly Finding[] }
  | {
      readonly verdict: 'remedied';
      readonly findings: readonly Finding[];
      readonly reason: string;
      readonly found: readonly BoundaryPoint[];
    }
  | { readonly verdict: 'withheld'; readonly findings: readonly Finding[]; readonly reason: string };

export interface AssessOptions {
  /** What else is known of the attack, one a clip. */
  readonly evidence?: readonly ClipEvidence[] | undefined;
  /** Steps of the walk. */
  readonly steps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Of the clips, the share whose gradients at the boundary must be true. */
const TRUSTED_SHARE = 0.9;

/**
 * Looks for masked gradients by behaviour alone, and around them where there are any: findings come from what the gradients claim at the clean points
 * and from the evidence of the attack; a remedy counts only where the gradients that it follows pass the same test.
 */
export async function assess(
  victim: Victim,
  clips: ProbedClips,
  { evidence = [], steps, signal }: AssessOptions = {},
): Promise<Assessment> {
  const probes = await probeGradients(victim, clips, { signal });
  const findings = findingsOf(probes.map((probe, clip) => ({ ...evidence[clip], probe })));
  if (findings.length === 0) return { verdict: 'sound', findings };
  const found = await boundaryWalk(victim, clips, { steps, signal });
  const distrust = await distrustOf(victim, clips, found, signal);
  if (distrust !== undefined) return { verdict: 'withheld', findings, reason: distrust };
  const reason =
    'gradients are masked at the clips, and true at the decision boundary: the scales are those of a walk along it';
  return { verdict: 'remedied', findings, reason, found };
}

/** Why the gradients on the boundary are not to be followed; undefined where they are. */
async function distrustOf(
  victim: Victim,
  clips: ProbedClips,
  found: readonly BoundaryPoint[],
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const lost = found.filter(({ scale }) => scale === undefined).length;
  if (lost > 0) return `no point beyond the decision boundary was found for ${lost} of ${found.length} clips`;
  const flat = found.filter(({ isFlat }) => isFlat).length;
  if (flat > 0)
    return `gradients are masked at the decision boundary too: there those of ${flat} of ${found.length} clips are 0`;
  const parted = (await boundarySides(victim, clips, found, { signal })).filter(Boolean).length;
  if (parted >= TRUSTED_SHARE * found.length) return undefined;
  return `gradients are masked at the decision boundary too: those of ${found.length - parted} of ${found.length} clips do not tell on which side of it points lie`;
}
