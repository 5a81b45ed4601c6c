import { setTimeout as delay } from 'node:timers/promises';
import { FaultlineError } from '@faultline/service-kit';
import type { Span } from '@opentelemetry/api';

/** Pauses before a lost loop is run anew; no more of them, no further run. A replica that was killed is back within seconds. */
const RERUN_PAUSES_MS = [100, 500, 2_000] as const;

/**
 * Decides about lost loops: one whose stream broke (the replica was killed, its connection was reset) is run anew from its seed, on whichever
 * replica takes it, up to three times. It is never resumed: what was on the lost replica is gone. Leaves an event in the span.
 */
export function rerunLost(span: Span, signal: AbortSignal) {
  return async (failure: unknown, failures: number): Promise<boolean> => {
    const pauseMs = RERUN_PAUSES_MS[failures - 1];
    if (pauseMs === undefined || signal.aborted || FaultlineError.from(failure).code !== 'unavailable') return false;
    span.addEvent('attack.rerun', { 'faultline.rerun': failures });
    await delay(pauseMs, undefined, { signal });
    return true;
  };
}
