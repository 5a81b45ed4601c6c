import { inference } from '@faultline/contracts';
import { loadConfig, register, runService, startServer } from '@faultline/service-kit';
import { Compute } from './compute.ts';
import { inferenceConfig } from './config.ts';
import { inferenceHandlers } from './service.ts';
import { Slots } from './slots.ts';

runService(async () => {
  const config = loadConfig(inferenceConfig);
  const compute = await Compute.start(config);
  return startServer({
    name: 'inference',
    host: config.host,
    port: config.port,
    services: [
      register(inference.InferenceServiceService, inferenceHandlers(compute, new Slots(config.optimizeSlots))),
    ],
    ready: () => compute.alive,
    onClose: () => compute[Symbol.asyncDispose](),
  });
});
