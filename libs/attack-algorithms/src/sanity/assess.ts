import type { Victim } from '@faultline/victim';
import type { AssessedClips } from './assessed-clips.ts';
import type { BoundaryPoint } from './boundary-walk.ts';
import { probeGradients } from './gradient-probe.ts';
import { type ClipEvidence, type Finding, findingsOf } from './indicators.ts';
import { REMEDIES, type Remedy, type RemedyOptions, tryRemedy } from './remedies.ts';

/**
 * What an attack's figures are worth. `sound`: nothing speaks against them. `remedied`: the attack failed for a reason of its own, and a
 * remedy whose gradients were seen to be true found these scales instead. `withheld`: no remedy is to be believed; no attack here would find the victim's
 * true budgets, and none is to be reported.
 */
export type Assessment =
  | { readonly verdict: 'sound'; readonly findings: readonly Finding[] }
  | {
      readonly verdict: 'remedied';
      readonly findings: readonly Finding[];
      readonly reason: string;
      readonly remedy: string;
      /** One a clip. */
      readonly found: readonly BoundaryPoint[];
    }
  | { readonly verdict: 'withheld'; readonly findings: readonly Finding[]; readonly reason: string };

export interface AssessOptions extends RemedyOptions {
  /** What else is known of the attack, one a clip. */
  readonly evidence?: readonly ClipEvidence[] | undefined;
  /** Clips whose gradients are probed, spread over all; 0: none, the evidence alone tells. */
  readonly probed?: number | undefined;
  /** Ways around masked gradients; none where the budgets are not such as a walk can keep. */
  readonly remedies?: readonly Remedy[] | undefined;
}

/** A gradient and a prediction each: enough to see what masks the gradients of a victim, and next to nothing beside an attack. */
const PROBED = 4;
/** Clips on which a remedy has to prove itself before it is tried on all. */
const TRIED = 3;
/** Clips in a batch of a remedy. */
const BATCH = 8;

/**
 * Looks for signs that an attack failed for reasons of its own, by behaviour alone, and for a way around them: findings come from what the gradients claim
 * at a few clean points and from the evidence of the attack; a remedy counts only where the gradients that it follows tell the sides of the decision boundary apart.
 */
export async function assess(
  victim: Victim,
  clips: AssessedClips,
  { evidence = [], probed = PROBED, remedies = REMEDIES, ...options }: AssessOptions = {},
): Promise<Assessment> {
  const chosen = spread(clips.count, probed);
  const probes = chosen.length === 0 ? [] : await probeGradients(victim, clips.batch(chosen), options);
  const known = Array.from({ length: clips.count }, (_, clip): ClipEvidence => {
    const probe = probes[chosen.indexOf(clip)];
    return { ...evidence[clip], ...(probe === undefined ? {} : { probe }) };
  });
  const findings = findingsOf(known);
  if (findings.length === 0) return { verdict: 'sound', findings };
  const why = findings.map(({ reason }) => reason).join('; ');
  const refusals: string[] = [];
  for (const remedy of remedies) {
    const { found, distrust } = await remedied(remedy, victim, clips, options);
    if (distrust === undefined) {
      const reason = `${why}. The scales are those of a walk along the decision boundary (${remedy.name}) on ${remedy.reason}`;
      return { verdict: 'remedied', findings, reason, remedy: remedy.name, found };
    }
    refusals.push(`${remedy.name}: ${distrust}`);
  }
  const tried =
    refusals.length === 0
      ? 'no remedy is known for such budgets'
      : `no remedy is to be believed (${refusals.join('; ')})`;
  return { verdict: 'withheld', findings, reason: `${why}; ${tried}` };
}

/** A remedy on all clips, or on the few on which it failed. */
async function remedied(remedy: Remedy, victim: Victim, clips: AssessedClips, options: RemedyOptions) {
  const tried = spread(clips.count, TRIED);
  const rest = Array.from({ length: clips.count }, (_, clip) => clip).filter((clip) => !tried.includes(clip));
  const runs = Math.ceil(rest.length / BATCH);
  const cut = (run: number) => Math.floor((run * rest.length) / runs);
  const batches = [tried, ...Array.from({ length: runs }, (_, run) => rest.slice(cut(run), cut(run + 1)))];
  const found: BoundaryPoint[] = [];
  for (const batch of batches) {
    const outcome = await tryRemedy(remedy, victim, clips.batch(batch), options);
    found.push(...outcome.found.map((one) => ({ ...one, clip: batch[one.clip] ?? one.clip })));
    if (outcome.distrust !== undefined) return { found, distrust: outcome.distrust };
  }
  return { found: found.toSorted((a, b) => a.clip - b.clip), distrust: undefined };
}

/** So many of the clips, evenly spread, the first among them. */
function spread(count: number, wanted: number): number[] {
  const few = Math.min(count, wanted);
  return Array.from({ length: few }, (_, at) => Math.floor((at * count) / few));
}
