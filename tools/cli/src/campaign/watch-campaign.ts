import { setTimeout } from 'node:timers/promises';
import { score } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Progress } from '../output/progress-line.ts';
import type { Session } from '../session.ts';
import { CALLER } from './caller.ts';

/** Connections lost in a row before the campaign counts as out of reach, and the time between attempts. */
const MAX_LOST = 5;
const RECONNECT_MS = 500;

/** Patience with a service that is asked to cancel. */
const CANCEL_MS = 3_000;

/**
 * Waits for the end of a campaign. When interrupted it cancels the campaign.
 * @throws FaultlineError when it fails, is cancelled, or a service dies.
 */
export async function campaignEnd(
  session: Session,
  campaignId: string,
  onProgress: (progress: Progress) => void,
): Promise<void> {
  try {
    await watchToEnd(session, campaignId, onProgress);
  } catch (error) {
    const cause = await session.explain(error);
    // Services that stay up would go on with it; the others are stopped anyway.
    if (session.attached) await cancel(session, campaignId);
    throw cause;
  }
}

/** Watches until the campaign has succeeded; watching again is harmless when a connection is lost on a long way. */
async function watchToEnd(
  session: Session,
  campaignId: string,
  onProgress: (progress: Progress) => void,
): Promise<void> {
  const { signal } = session;
  for (let lost = 0; ; ) {
    try {
      for await (const update of session.score.watchCampaign({ context: CALLER, campaignId }, { signal })) {
        lost = 0;
        onProgress(update);
        if (update.summary !== undefined) throwUnlessWell(update.summary);
      }
      return;
    } catch (error) {
      lost += 1;
      const mayRetry = error instanceof FaultlineError && error.code === 'unavailable' && lost <= MAX_LOST;
      if (!mayRetry || signal.aborted) throw error;
      await setTimeout(RECONNECT_MS);
    }
  }
}

/** Cancels a campaign that may have ended by itself. */
async function cancel(session: Session, campaignId: string): Promise<void> {
  await session.score.cancelCampaign({ context: CALLER, campaignId }, { deadlineMs: CANCEL_MS }).catch(() => {});
}

function throwUnlessWell({ campaignId, state, error }: score.CampaignSummary): void {
  if (state === score.CampaignState.CAMPAIGN_STATE_FAILED) {
    throw new FaultlineError('internal', `campaign ${campaignId} failed: ${error}`);
  }
  if (state === score.CampaignState.CAMPAIGN_STATE_CANCELLED) {
    // Not this command's interruption: somebody else's request.
    throw new FaultlineError('failed_precondition', `campaign ${campaignId} was cancelled: ${error}`);
  }
}
