import type { score } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { CampaignRecord } from '../store/campaign-record.ts';

const MS_PER_DAY = 24 * 60 * 60 * 1000;

/** Bytes put this lately may belong to something that is only about to refer to them. */
const ARTEFACT_GRACE_MS = 60 * 60 * 1000;

/** Which campaigns and artefacts stay. */
export interface Retention {
  readonly keepNewest: number;
  /** What ended after this moment stays; undefined: age keeps nothing. */
  readonly keepAfter: Date | undefined;
}

/**
 * Reads the rules of a request.
 * @throws FaultlineError invalid_argument when there is none, or one cannot be followed.
 */
export function retentionOf(request: score.CollectGarbageRequest, now: Date): Retention {
  const { keepNewest, keepDays } = request;
  if (keepNewest === undefined && keepDays === undefined) {
    throw FaultlineError.invalid('keepNewest', 'is not set, and neither is keepDays; say what stays by one of them');
  }
  if (keepDays !== undefined && !(keepDays >= 0 && Number.isFinite(keepDays))) {
    throw FaultlineError.invalid('keepDays', `is ${keepDays}; give a finite number of days of at least 0`);
  }
  // Further back than dates go: all of them stay.
  const keepAfter = keepDays === undefined ? undefined : new Date(Math.max(0, now.getTime() - keepDays * MS_PER_DAY));
  return { keepNewest: keepNewest ?? 0, keepAfter };
}

/**
 * Splits campaigns, newest first, into those that stay and those that go. A running one always stays, and does not count
 * among the newest.
 */
export function splitCampaigns(
  campaigns: readonly CampaignRecord[],
  { keepNewest, keepAfter }: Retention,
): { readonly kept: CampaignRecord[]; readonly removed: CampaignRecord[] } {
  const kept: CampaignRecord[] = [];
  const removed: CampaignRecord[] = [];
  let ended = 0;
  for (const campaign of campaigns) {
    const { endedAt } = campaign;
    if (endedAt === undefined) {
      kept.push(campaign);
      continue;
    }
    ended += 1;
    const stays = ended <= keepNewest || (keepAfter !== undefined && endedAt > keepAfter);
    (stays ? kept : removed).push(campaign);
  }
  return { kept, removed };
}

/** Artefacts that nothing refers to go when they were last put before this moment. */
export function artefactHorizon(kept: readonly CampaignRecord[], { keepAfter }: Retention, now: Date): Date {
  const running = kept.filter(({ endedAt }) => endedAt === undefined).map(({ startedAt }) => startedAt.getTime());
  const moments = [now.getTime() - ARTEFACT_GRACE_MS, keepAfter?.getTime() ?? Number.POSITIVE_INFINITY, ...running];
  return new Date(Math.min(...moments));
}
