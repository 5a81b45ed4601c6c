import { attack } from '@faultline/contracts';
import { type CommonConfig, type RunningServer, register, startServer } from '@faultline/service-kit';
import { attackHandlers } from './attack-handlers.ts';
import type { AttackConfig } from './config.ts';
import { Victims } from './victims.ts';

/**
 * Serves AttackService.
 * @throws FaultlineError `unavailable` when the address cannot be bound.
 */
export async function startAttack(config: AttackConfig & Pick<CommonConfig, 'host' | 'port'>): Promise<RunningServer> {
  await using cleanup = new AsyncDisposableStack();
  const victims = cleanup.use(new Victims(config.victims));
  const server = await startServer({
    name: 'attack',
    services: [register(attack.AttackServiceService, attackHandlers(victims))],
    host: config.host,
    port: config.port,
    onClose: () => victims[Symbol.asyncDispose](),
  });
  cleanup.move();
  return server;
}
