import { setTimeout as delay } from 'node:timers/promises';
import { FaultlineError } from '@faultline/service-kit';

/** A refused call costs a millisecond: the first tries follow each other fast, and each goes to the next replica. */
const FIRST_PAUSE_MS = 10;

/** A loop lasts seconds. */
const LONGEST_PAUSE_MS = 1_000;

/** How long to wait for a slot. */
export interface Patience {
  readonly slotWaitMs: number;
  /** Of the call; nothing waits beyond it. */
  readonly deadline?: Date | undefined;
}

/** Between half and all of the pause, so that those who were refused together do not come back together. */
const jittered = (pauseMs: number) => pauseMs * (0.5 + Math.random() / 2);

/**
 * Opens a loop on whichever replica admits it. A replica without a free slot refuses before anything is uploaded; the next try goes to the
 * next replica, since calls are spread round robin. When all have refused, it waits its turn with growing pauses.
 * @throws FaultlineError resource_exhausted when no slot becomes free in time; the signal's reason when aborted.
 */
export async function openInTurn<T>(
  open: () => Promise<T>,
  { slotWaitMs, deadline }: Patience,
  signal?: AbortSignal,
): Promise<T> {
  const giveUpAt = Math.min(Date.now() + slotWaitMs, deadline?.getTime() ?? Number.POSITIVE_INFINITY);
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await open();
    } catch (thrown) {
      const error = FaultlineError.from(thrown);
      if (error.code !== 'resource_exhausted') throw thrown;
      if (Date.now() + pauseMs > giveUpAt) {
        const message = `no slot became free in time (waited up to ${slotWaitMs / 1000} s): ${error.message}`;
        throw new FaultlineError('resource_exhausted', message, { cause: thrown });
      }
    }
    await delay(jittered(pauseMs), undefined, { signal });
  }
}
