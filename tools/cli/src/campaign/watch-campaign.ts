import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { score } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Progress } from '../output/progress-line.ts';
import type { Session } from '../session.ts';

/** A service that dies takes the campaign with it; its death explains more than the campaign's error. */
const DEATH_GRACE_MS = 1_000;

/** Connections lost in a row before the campaign counts as out of reach, and the time between attempts. */
const MAX_LOST = 5;
const RECONNECT_MS = 500;

/** Patience with a service that is asked to cancel. */
const CANCEL_MS = 3_000;

export interface CampaignResult {
  readonly campaignId: string;
  /** report.json */
  readonly reportJson: string;
  /** Folder of the report's files; empty when the service is elsewhere. */
  readonly folder: string;
}

/**
 * Starts a campaign and waits for its end. When interrupted it cancels the campaign.
 * @throws FaultlineError when it fails, is cancelled, or a service dies.
 */
export async function runCampaign(
  session: Session,
  specification: score.CampaignSpecification,
  onProgress: (progress: Progress) => void,
): Promise<CampaignResult> {
  const { signal } = session;
  let campaignId = '';
  try {
    const context = { ...CALLER, idempotencyKey: randomUUID() };
    ({ campaignId } = await session.score.startCampaign({ context, specification }, { signal }));
    await watchToEnd(session, campaignId, onProgress);
    const { reportJson, folder } = await session.score.getCampaign({ context: CALLER, campaignId }, { signal });
    if (reportJson === '') throw new FaultlineError('internal', `campaign ${campaignId} ended without a report`);
    return { campaignId, reportJson, folder };
  } catch (error) {
    const death = await session.deathWithin(signal.aborted ? 0 : DEATH_GRACE_MS);
    // Services that stay up would go on with it; the others are stopped anyway.
    if (session.attached && campaignId !== '') await cancel(session, campaignId);
    throw death ?? error;
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

/** Who asks, as campaigns record it. */
export const CALLER = { caller: 'faultline-cli', idempotencyKey: '' };

function throwUnlessWell({ campaignId, state, error }: score.CampaignSummary): void {
  if (state === score.CampaignState.CAMPAIGN_STATE_FAILED) {
    throw new FaultlineError('internal', `campaign ${campaignId} failed: ${error}`);
  }
  if (state === score.CampaignState.CAMPAIGN_STATE_CANCELLED) {
    throw new FaultlineError('cancelled', `campaign ${campaignId} was cancelled`);
  }
}
