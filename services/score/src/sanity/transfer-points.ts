import type { attack } from '@faultline/contracts';
import type { Candidate } from '../judge/inspect.ts';
import type { Verified } from '../judge/verified.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';

/** Clips whose points are kept to be tried on other victims. */
const KEPT_CLIPS = 6;
/** Points that are not clearly smaller than what the attack on the victim itself found tell nothing. */
const WORTH_TRYING = 0.9;

interface KeptPoint {
  readonly scale: number;
  readonly candidate: Candidate;
}

/** The best verified points of a few clips against each victim, under one threat model. */
export class TransferPoints {
  readonly #kept = new Map<VictimUnderTest, Map<number, KeptPoint>>();
  readonly #clips: ReadonlySet<number>;

  /** @param clips indices of those that may be kept, the first first. */
  constructor(clips: readonly number[]) {
    this.#clips = new Set(clips.slice(0, KEPT_CLIPS));
  }

  /** Keeps a verified success when its budget is the smallest so far. */
  offer(victim: VictimUnderTest, candidate: Candidate, { clip, scale, verdict }: Verified): void {
    if (verdict !== 'reached' || !this.#clips.has(clip)) return;
    const own = this.#kept.get(victim) ?? new Map<number, KeptPoint>();
    if ((own.get(clip)?.scale ?? Number.POSITIVE_INFINITY) <= scale) return;
    // Copies: the rows are views of whole messages, which would stay in memory with them.
    const adversarial = new Map(candidate.adversarial.entries().map(([name, row]) => [name, row.slice()] as const));
    this.#kept.set(victim, own.set(clip, { scale, candidate: { ...candidate, rung: undefined, adversarial } }));
  }

  /**
   * Points of other victims that need less than what was found for this one.
   * @param found the smallest scale so far of each clip that may be tried, infinity without one; what has the goal when clean is no such clip.
   */
  pointsFor(victim: VictimUnderTest, threatModel: attack.ThreatModel, found: ReadonlyMap<number, number>): Candidate[] {
    return [...this.#kept].flatMap(([other, points]) =>
      other === victim || !hearsAlike(victim, other, threatModel)
        ? []
        : [...points.values()]
            .filter(({ scale, candidate }) => scale < WORTH_TRYING * (found.get(candidate.clip) ?? 0))
            .map(({ candidate }) => candidate),
    );
  }
}

/** Whether the attacked variables of two victims are one and the same. */
function hearsAlike(first: VictimUnderTest, second: VictimUnderTest, { variables }: attack.ThreatModel): boolean {
  return variables.every(({ variable }) => {
    const [a, b] = [first, second].map(({ card }) => card.inputs.find(({ name }) => name === variable)?.kind);
    return a !== undefined && JSON.stringify(a) === JSON.stringify(b);
  });
}
