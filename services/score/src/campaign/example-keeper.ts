import type { Candidate } from '../judge/inspect.ts';
import type { Verified } from '../judge/verified.ts';
import type { PlannedThreatModel } from '../planning/planned-attacks.ts';
import type { CleanPhase } from './clean-phase.ts';

/** Clips whose adversarial tensors are kept in memory while a campaign runs, so that one can be shown. */
const MAX_SHOWN_CANDIDATES = 12;

/** The verified adversarial point of smallest budget of one clip. */
export interface KeptExample {
  readonly victim: string;
  readonly clip: number;
  readonly scale: number;
  readonly candidate: Candidate;
  readonly verified: Verified;
}

/** The threat model that examples are shown of: the first that may change every input, else the first that changes inputs alone: of features there is nothing to see or hear. */
export function shownThreatModel(
  threatModels: readonly PlannedThreatModel[],
  phases: readonly CleanPhase[],
): PlannedThreatModel | undefined {
  const inputs = new Set(phases.flatMap((phase) => phase.victim.card.inputs.map((input) => input.name)));
  const shown = threatModels.filter(({ model }) => model.variables.every(({ variable }) => inputs.has(variable)));
  return shown.find(({ model }) => model.variables.length === inputs.size) ?? shown[0];
}

/** Smallest clean margin of a clip over the victims: how sure all of them are. */
function certainty(phases: readonly CleanPhase[], clip: number): number {
  return Math.min(...phases.map((phase) => phase.run.margins[clip] ?? Number.NEGATIVE_INFINITY));
}

/** Clips that tell most when shown: on for every victim, sound and picture agreeing, one label, and clearly recognised. */
export function shownClips(phases: readonly CleanPhase[]): number[] {
  const clips = phases[0]?.clips ?? [];
  const ranked = clips.map((clip) => ({
    index: clip.index,
    on: phases.filter((phase) => phase.run.off[clip.index] === false).length,
    agree: clip.agree ? 1 : 0,
    labels: clip.labels.length,
    certainty: certainty(phases, clip.index),
  }));
  ranked.sort(
    (a, b) => b.on - a.on || b.agree - a.agree || a.labels - b.labels || b.certainty - a.certainty || a.index - b.index,
  );
  return ranked.slice(0, MAX_SHOWN_CANDIDATES).map((one) => one.index);
}

/** Keeps the best adversarial points of a few clips, and chooses which to show. */
export class ExampleKeeper {
  readonly #clips: readonly number[];
  readonly #kept = new Map<string, KeptExample>();

  constructor(phases: readonly CleanPhase[]) {
    this.#clips = shownClips(phases);
  }

  /** Keeps a verified success of a shown clip when its budget is the smallest so far. */
  offer(phase: CleanPhase, candidate: Candidate, verified: Verified): void {
    const { clip, scale } = verified;
    if (verified.verdict !== 'reached' || !this.#clips.includes(clip) || phase.run.off[clip] !== false) return;
    const key = `${phase.victim.name}/${clip}`;
    const known = this.#kept.get(key);
    if (known !== undefined && known.scale <= scale) return;
    // Copies: the rows are views of whole messages, which would stay in memory with them.
    const adversarial = new Map(candidate.adversarial.entries().map(([name, row]) => [name, row.slice()] as const));
    this.#kept.set(key, { victim: phase.victim.name, clip, scale, candidate: { ...candidate, adversarial }, verified });
  }

  /** One example a victim: of the first clip that was reached for most victims, so that pictures compare. */
  choose(victims: readonly string[]): KeptExample[] {
    const of = (victim: string, clip: number) => this.#kept.get(`${victim}/${clip}`);
    const reach = (clip: number) => victims.filter((victim) => of(victim, clip) !== undefined).length;
    const order = this.#clips.toSorted((a, b) => reach(b) - reach(a));
    return victims.flatMap((victim) => {
      const clip = order.find((index) => of(victim, index) !== undefined);
      return (clip === undefined ? undefined : of(victim, clip)) ?? [];
    });
  }
}
