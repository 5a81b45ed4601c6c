import { join } from 'node:path';
import { FolderStore } from '@faultline/artefacts';
import { score } from '@faultline/contracts';
import { type CommonConfig, FaultlineError, type RunningServer, register, startServer } from '@faultline/service-kit';
import { CampaignRunner } from './campaign/campaign-runner.ts';
import type { ScoreConfig } from './config.ts';
import { InputCache } from './inputs/input-cache.ts';
import { Services } from './peers/services.ts';
import { scoreHandlers } from './score-handlers.ts';
import { CampaignStore } from './store/campaign-store.ts';

/**
 * Serves ScoreService. The database opens beside it (its first start takes some seconds); until then the service is not
 * ready, and calls wait.
 * @param onStoreFailure called when the database cannot be opened: nothing works without it.
 */
export async function startScore(
  config: ScoreConfig & Pick<CommonConfig, 'host' | 'port'>,
  onStoreFailure: (error: unknown) => void,
): Promise<RunningServer> {
  const services = new Services({
    victims: config.victims,
    features: config.featuresAddress,
    attack: config.attackAddress,
  });
  const cache = new InputCache(config.inputCacheBytes);
  const artefacts = FolderStore.open(config.artefactDir ?? join(config.runsDir, 'artefacts'));
  const runner = new CampaignRunner(services, cache, artefacts, config.runsDir);
  let ready = false;
  const store = CampaignStore.open(config.runsDir);
  Promise.all([store, artefacts]).then(() => {
    ready = true;
  }, onStoreFailure);
  return startServer({
    name: 'score',
    host: config.host,
    port: config.port,
    services: [
      register(
        score.ScoreServiceService,
        scoreHandlers({
          services,
          cache,
          runner,
          store,
          artefacts,
          runsDir: config.runsDir,
          clipsDir: config.clipsDir,
        }),
      ),
    ],
    ready: () => ready,
    onDrain: () => runner.stopAll(new FaultlineError('unavailable', 'the score service was stopped')),
    onClose: async () => {
      services[Symbol.dispose]();
      const opened = await store.catch(() => undefined);
      await opened?.[Symbol.asyncDispose]();
    },
  });
}
