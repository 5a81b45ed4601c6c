import { score } from '@faultline/contracts';
import type { CampaignRecord, CampaignStateName } from './store/campaign-record.ts';

const STATES: Readonly<Record<CampaignStateName, score.CampaignState>> = {
  running: score.CampaignState.CAMPAIGN_STATE_RUNNING,
  succeeded: score.CampaignState.CAMPAIGN_STATE_SUCCEEDED,
  failed: score.CampaignState.CAMPAIGN_STATE_FAILED,
  cancelled: score.CampaignState.CAMPAIGN_STATE_CANCELLED,
};

/** A kept campaign as the contract tells it. */
export function summaryOf(record: CampaignRecord): score.CampaignSummary {
  return {
    campaignId: record.id,
    name: record.name,
    state: STATES[record.state],
    startedAt: record.startedAt,
    endedAt: record.endedAt,
    error: record.error,
    caller: record.caller,
    traceId: record.traceId,
  };
}
