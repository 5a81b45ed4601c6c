import { score } from '@faultline/contracts';

const { CAMPAIGN_STATE_RUNNING, CAMPAIGN_STATE_SUCCEEDED, CAMPAIGN_STATE_FAILED, CAMPAIGN_STATE_CANCELLED } =
  score.CampaignState;

const STATES = new Map<score.CampaignState, string>([
  [CAMPAIGN_STATE_RUNNING, 'running'],
  [CAMPAIGN_STATE_SUCCEEDED, 'succeeded'],
  [CAMPAIGN_STATE_FAILED, 'failed'],
  [CAMPAIGN_STATE_CANCELLED, 'cancelled'],
]);

/** "running", "succeeded", "failed", "cancelled" */
export const stateName = (state: score.CampaignState): string => STATES.get(state) ?? 'unknown';

/** A campaign in short, as `--json` prints it. */
export interface CampaignSummaryJson {
  readonly campaignId: string;
  readonly name: string;
  readonly state: string;
  /** ISO 8601. */
  readonly startedAt: string | null;
  readonly endedAt: string | null;
  /** Why it failed or was cancelled; empty otherwise. */
  readonly error: string;
  readonly caller: string;
  readonly traceId: string;
}

export function summaryJson(summary: score.CampaignSummary): CampaignSummaryJson {
  const { campaignId, name, state, startedAt, endedAt, error, caller, traceId } = summary;
  return {
    campaignId,
    name,
    state: stateName(state),
    startedAt: startedAt?.toISOString() ?? null,
    endedAt: endedAt?.toISOString() ?? null,
    error,
    caller,
    traceId,
  };
}
