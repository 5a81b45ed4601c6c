import { type ArtefactStore, storeTensor } from '@faultline/artefacts';
import type { AdversarialReference } from '@faultline/report';
import type { Candidate } from '../judge/inspect.ts';
import type { Verified } from '../judge/verified.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { ScaledCandidate } from '../write-back/write-back.ts';

/** Something known of a clip's point at a scale. */
interface At<Known> {
  readonly scale: number;
  readonly known: Known;
}

/** The adversarial tensors of each clip's smallest verified budget, over all attacks on one victim under one threat model. */
export class BestTensors {
  readonly #fresh = new Map<number, At<Candidate['adversarial']>>();
  readonly #stored = new Map<number, At<AdversarialReference>>();

  /** Keeps a verified success when its budget is the clip's smallest so far. */
  offer(candidate: Candidate, { clip, scale, verdict }: Verified): void {
    const smallest = Math.min(
      ...[this.#fresh, this.#stored].map((kept) => kept.get(clip)?.scale ?? Number.POSITIVE_INFINITY),
    );
    if (verdict !== 'reached' || smallest <= scale) return;
    // Copies: the rows are views of whole messages, which would stay in memory with them.
    const known = new Map(candidate.adversarial.entries().map(([name, row]) => [name, row.slice()] as const));
    this.#fresh.set(clip, { scale, known });
  }

  /** Stores what was kept since the last time, and frees its memory. */
  async store(artefacts: ArtefactStore, victim: VictimUnderTest): Promise<void> {
    for (const [clip, { scale, known }] of this.#fresh) {
      this.#stored.set(clip, { scale, known: await storeAll(artefacts, victim, known) });
    }
    this.#fresh.clear();
  }

  /** A clip's stored point and the scale at which it counts, read back; undefined where there is none. */
  async load(artefacts: ArtefactStore, clip: number): Promise<ScaledCandidate | undefined> {
    const stored = this.#stored.get(clip);
    if (stored === undefined) return undefined;
    const adversarial = new Map<string, Float32Array>();
    for (const [name, { sha256 }] of Object.entries(stored.known)) {
      adversarial.set(name, new Float32Array(Uint8Array.from(await artefacts.read(sha256)).buffer));
    }
    return { scale: stored.scale, candidate: { rung: undefined, clip, adversarial, believedMargin: Number.NaN } };
  }

  /** What was stored; one entry a clip, null where there is none. */
  references(clips: number): (AdversarialReference | null)[] {
    return Array.from({ length: clips }, (_, clip) => this.#stored.get(clip)?.known ?? null);
  }
}

/** Stores these tensors of a victim's inputs, without a batch axis. */
export async function storeAll(
  artefacts: ArtefactStore,
  victim: VictimUnderTest,
  adversarial: Candidate['adversarial'],
): Promise<AdversarialReference> {
  const stored: [string, AdversarialReference[string]][] = [];
  for (const [name, dims] of victim.dims) {
    const data = adversarial.get(name);
    if (data === undefined) continue;
    const { value } = await storeTensor(artefacts, { dims, data });
    if (value?.$case === 'reference') stored.push([name, { dims: [...dims], ...value.value }]);
  }
  return Object.fromEntries(stored);
}
