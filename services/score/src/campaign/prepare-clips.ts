import { clipMedia } from '../clips/clip-media.ts';
import { inFlight } from '../in-flight.ts';
import { clipInputs, EXTRACTIONS_IN_FLIGHT } from '../inputs/clip-inputs.ts';
import type { InputLookup } from '../inputs/input-cache.ts';
import type { Services } from '../peers/services.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { PlannedCampaign } from '../planning/specification.ts';
import type { PreparedClip } from './clean-phase.ts';

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
  await inFlight(clips, EXTRACTIONS_IN_FLIGHT, signal, async (clip, index, stop) => {
    for (const one of victims) {
      const rows = await clipInputs(services, cache, clipMedia(clipSet, clip), one.card.inputs, stop);
      const { id, sha256, labels, stratum, agree } = clip;
      prepared.get(one)?.push({ index, id, sha256, labels, stratum, agree, inputs: rows });
    }
    onClip();
  });
  for (const rows of prepared.values()) rows.sort((a, b) => a.index - b.index);
  return prepared;
}
