import type { victim } from '@faultline/contracts';
import { clipMedia } from '../clips/clip-media.ts';
import { clipInputs } from '../inputs/clip-inputs.ts';
import type { InputLookup } from '../inputs/input-cache.ts';
import type { Services } from '../peers/services.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { PlannedCampaign } from '../planning/specification.ts';
import type { PreparedClip } from './clean-phase.ts';

/** Media in flight: the features service decodes on as many cores as it has, usually few. */
const EXTRACTIONS_IN_FLIGHT = 2;

/** The clips of a campaign with their inputs for each victim. Victims that ask for the same share the same arrays. */
export type PreparedClips = ReadonlyMap<VictimUnderTest, readonly PreparedClip[]>;

/** Extracts every clip's inputs for every victim. `onClip` is called once a clip. */
export async function prepareClips(
  plan: PlannedCampaign,
  services: Services,
  cache: InputLookup,
  onClip: () => void,
  signal: AbortSignal,
): Promise<PreparedClips> {
  const { clips, clipSet, victims } = plan;
  const prepared = new Map<VictimUnderTest, PreparedClip[]>(victims.map((one) => [one, []]));
  const waiting = clips.entries();
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const worker = async (): Promise<void> => {
    for (const [index, clip] of waiting) {
      for (const one of victims) {
        const inputs: readonly victim.InputSpecification[] = one.card.inputs;
        const rows = await clipInputs(services, cache, clipMedia(clipSet, clip), inputs, stop);
        const { id, sha256, labels, stratum, agree } = clip;
        prepared.get(one)?.push({ index, id, sha256, labels, stratum, agree, inputs: rows });
      }
      onClip();
    }
  };
  const workers = Array.from({ length: EXTRACTIONS_IN_FLIGHT }, worker);
  try {
    await Promise.all(workers);
  } catch (thrown) {
    failure.abort(thrown);
    await Promise.allSettled(workers);
    throw thrown;
  }
  for (const rows of prepared.values()) rows.sort((a, b) => a.index - b.index);
  return prepared;
}
