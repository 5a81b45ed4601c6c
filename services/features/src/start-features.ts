import { features } from '@faultline/contracts';
import { type CommonConfig, type RunningServer, register, startServer } from '@faultline/service-kit';
import type { FeaturesConfig } from './config.ts';
import { DecoderPool } from './decoder-pool.ts';
import { extractHandlers } from './extract.ts';
import { Spool } from './spool.ts';

const BYTES_PER_MIB = 1024 * 1024;

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
  const spool = cleanup.use(
    await Spool.open({ parent: config.spoolDir, capacityBytes: config.spoolMib * BYTES_PER_MIB }),
  );
  const handlers = extractHandlers({ decoders, spool, uploadLimitBytes: config.uploadLimitMib * BYTES_PER_MIB });
  const server = await startServer({
    name: 'features',
    services: [register(features.FeaturesServiceService, handlers)],
    host: config.host,
    port: config.port,
    ready: () => decoders.ready,
    onClose: async () => {
      await decoders[Symbol.asyncDispose]();
      await spool[Symbol.asyncDispose]();
    },
  });
  cleanup.move();
  return server;
}
