import { availableParallelism } from 'node:os';
import { inference } from '@faultline/contracts';
import { loadConfig, logger, register, runService, startServer } from '@faultline/service-kit';
import { Admission } from './admission.ts';
import { Compute } from './compute.ts';
import { defaultLoopBytes, inferenceConfig } from './config.ts';
import { InferenceMetrics } from './metrics.ts';
import { inferenceHandlers } from './service.ts';

/** Calls learn that the compute thread is gone, and a probe may see it, before the process makes room for a new one. */
const DEATH_DRAIN_MS = 1_000;

const log = logger('inference');

runService(async () => {
  const config = loadConfig(inferenceConfig);
  const metrics = new InferenceMetrics();
  const compute = await Compute.start({ ...config, threads: config.threads ?? availableParallelism() }, metrics.turn);
  const limits = { slots: config.optimizeSlots, bytes: config.loopBytes ?? defaultLoopBytes() };
  const admission = new Admission(limits, metrics.usage);
  const { idleTimeoutMs } = config;
  const handlers = inferenceHandlers({ compute, admission, idleTimeoutMs });
  const server = await startServer({
    name: 'inference',
    host: config.host,
    port: config.port,
    services: [register(inference.InferenceServiceService, handlers)],
    ready: () => compute.alive,
    onClose: () => compute[Symbol.asyncDispose](),
  });
  void compute.died.then(async (error) => {
    log.error('the compute thread died; exiting, for a supervisor to start anew', { stack: error.stack });
    await server.close({ drainTimeoutMs: DEATH_DRAIN_MS });
    process.exit(1);
  });
  return server;
});
