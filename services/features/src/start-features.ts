import { features } from '@faultline/contracts';
import { type CommonConfig, type RunningServer, register, startServer } from '@faultline/service-kit';
import type { FeaturesConfig } from './config.ts';
import { DecoderPool } from './decoder-pool.ts';
import { extractHandler } from './extract.ts';

/**
 * Starts the decoder processes, then serves FeaturesService.
 * @throws FaultlineError `internal` when decoders cannot start, `unavailable` when the address cannot be bound.
 */
export async function startFeatures(
  config: FeaturesConfig & Pick<CommonConfig, 'host' | 'port'>,
): Promise<RunningServer> {
  await using cleanup = new AsyncDisposableStack();
  const decoders = cleanup.use(
    await DecoderPool.start({
      size: config.decoders,
      timeLimitMs: config.decodeTimeLimitMs,
      memoryLimitMib: config.decoderMemoryMib,
    }),
  );
  const server = await startServer({
    name: 'features',
    services: [register(features.FeaturesServiceService, { extract: extractHandler(decoders) })],
    host: config.host,
    port: config.port,
    ready: () => decoders.ready,
    onClose: () => decoders[Symbol.asyncDispose](),
  });
  cleanup.move();
  return server;
}
