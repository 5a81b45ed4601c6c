import { type ArtefactStore, storeTensor } from '@faultline/artefacts';
import type { AdversarialReference } from '@faultline/report';
import { exampleDims } from '@faultline/victim';
import type { Candidate } from '../judge/inspect.ts';
import type { Verified } from '../judge/verified.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';

/** The adversarial tensors of each clip's smallest verified budget, over all attacks on one victim under one threat model. */
export class BestTensors {
  readonly #best = new Map<number, { readonly scale: number; readonly adversarial: Candidate['adversarial'] }>();

  /** Keeps a verified success when its budget is the clip's smallest so far. */
  offer(candidate: Candidate, verified: Verified): void {
    const { scale } = verified;
    const known = this.#best.get(verified.clip);
    if (verified.verdict !== 'reached' || (known !== undefined && known.scale <= scale)) return;
    // Copies: the rows are views of whole messages, which would stay in memory with them.
    const adversarial = new Map(candidate.adversarial.entries().map(([name, row]) => [name, row.slice()] as const));
    this.#best.set(verified.clip, { scale, adversarial });
  }

  /** Stores them; one entry a clip, null where there are none. */
  async store(
    artefacts: ArtefactStore,
    victim: VictimUnderTest,
    clips: number,
  ): Promise<(AdversarialReference | null)[]> {
    const references: (AdversarialReference | null)[] = [];
    for (let clip = 0; clip < clips; clip += 1) {
      const best = this.#best.get(clip);
      references.push(best === undefined ? null : await storeAll(artefacts, victim, best.adversarial));
    }
    return references;
  }
}

async function storeAll(
  artefacts: ArtefactStore,
  victim: VictimUnderTest,
  adversarial: Candidate['adversarial'],
): Promise<AdversarialReference> {
  const stored: [string, AdversarialReference[string]][] = [];
  for (const input of victim.card.inputs) {
    const data = adversarial.get(input.name);
    if (data === undefined) continue;
    const dims = exampleDims(input);
    const { value } = await storeTensor(artefacts, { dims, data });
    if (value?.$case === 'reference') stored.push([input.name, { dims, ...value.value }]);
  }
  return Object.fromEntries(stored);
}
