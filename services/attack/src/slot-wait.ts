import { setTimeout as delay } from 'node:timers/promises';
import { FaultlineError } from '@faultline/service-kit';

/** Time between two tries to get a slot; a loop lasts seconds. */
const RETRY_INTERVAL_MS = 200;

/** Longest wait for a slot: longer than loops of usual size take, shorter than a caller's patience. */
const MAX_WAIT_MS = 60_000;

/**
 * Opens a loop, waiting its turn while the victim has no free slot (nothing was uploaded yet in that case).
 * @throws FaultlineError resource_exhausted when no slot becomes free within a minute; the signal's reason when aborted.
 */
export async function openInTurn<T>(open: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const giveUpAt = performance.now() + MAX_WAIT_MS;
  while (true) {
    try {
      return await open();
    } catch (thrown) {
      if (FaultlineError.from(thrown).code !== 'resource_exhausted' || performance.now() > giveUpAt) throw thrown;
    }
    await delay(RETRY_INTERVAL_MS, undefined, { signal });
  }
}
