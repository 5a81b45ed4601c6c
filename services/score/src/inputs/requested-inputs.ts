import { FaultlineError } from '@faultline/service-kit';
import type { Services } from '../peers/services.ts';
import type { ClipInputs } from '../peers/tensor-rows.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { RequestedClip } from '../planning/requested-clips.ts';
import { clipInputs } from './clip-inputs.ts';
import type { InputLookup } from './input-cache.ts';

/**
 * Inputs of a requested clip for one victim.
 * @throws FaultlineError invalid_argument naming the clip when its media cannot be decoded, or lacks what the victim needs.
 */
export async function requestedInputs(
  services: Services,
  cache: InputLookup,
  clip: RequestedClip,
  victim: VictimUnderTest,
  signal: AbortSignal,
): Promise<ClipInputs> {
  try {
    return await clipInputs(services, cache, clip.media, victim.card.inputs, signal);
  } catch (thrown) {
    const error = FaultlineError.from(thrown);
    if (error.code !== 'invalid_argument') throw error;
    // Its fields are those of the features service's request; the caller has to hear of his own.
    throw FaultlineError.invalid(clip.path, `${clip.media.title}, for victim '${victim.name}': ${error.message}`);
  }
}
