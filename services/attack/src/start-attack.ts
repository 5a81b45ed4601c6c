import { FolderStore } from '@faultline/artefacts';
import { attack } from '@faultline/contracts';
import { type CommonConfig, type RunningServer, register, startServer } from '@faultline/service-kit';
import { attackHandlers } from './attack-handlers.ts';
import type { AttackConfig } from './config.ts';
import { RepeatedRuns } from './repeated-runs.ts';
import { messageBytes } from './result-messages.ts';
import { Victims } from './victims.ts';

/**
 * Serves AttackService.
 * @throws FaultlineError `unavailable` when the address cannot be bound; Error when the artefact folder cannot be used.
 */
export async function startAttack(config: AttackConfig & Pick<CommonConfig, 'host' | 'port'>): Promise<RunningServer> {
  await using cleanup = new AsyncDisposableStack();
  const victims = cleanup.use(new Victims(config.victims));
  const store = config.artefactDir === undefined ? undefined : await FolderStore.open(config.artefactDir);
  const repeated = new RepeatedRuns(messageBytes);
  const slotWaitMs = config.slotWaitSeconds * 1000;
  const server = await startServer({
    name: 'attack',
    services: [register(attack.AttackServiceService, attackHandlers({ victims, store, slotWaitMs, repeated }))],
    host: config.host,
    port: config.port,
    onClose: () => victims[Symbol.asyncDispose](),
  });
  cleanup.move();
  return server;
}
