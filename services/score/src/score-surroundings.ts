import type { ArtefactStore } from '@faultline/artefacts';
import type { CampaignRunner } from './campaign/campaign-runner.ts';
import type { InputCache } from './inputs/input-cache.ts';
import type { Services } from './peers/services.ts';
import type { CampaignStore } from './store/campaign-store.ts';

/** What the handlers work with. */
export interface ScoreSurroundings {
  readonly services: Services;
  /** Extracted inputs, shared by all calls and campaigns. */
  readonly cache: InputCache;
  readonly runner: CampaignRunner;
  /** Resolves once the database is open. */
  readonly store: Promise<CampaignStore>;
  readonly artefacts: Promise<ArtefactStore>;
  readonly runsDir: string;
  readonly clipsDir: string;
}
