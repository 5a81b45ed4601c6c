import type { CampaignRunner } from './campaign/campaign-runner.ts';
import type { Services } from './campaign/services.ts';
import type { CampaignStore } from './store/campaign-store.ts';

/** What the handlers work with. */
export interface ScoreSurroundings {
  readonly services: Services;
  readonly runner: CampaignRunner;
  /** Resolves once the database is open. */
  readonly store: Promise<CampaignStore>;
  readonly runsDir: string;
  readonly clipsDir: string;
}
