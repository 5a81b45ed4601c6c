import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { loadConfig } from './config.ts';
import { runService } from './run-service.ts';
import { tracer } from './telemetry.ts';
import { opened, startInference } from './test-services.ts';

// A service process for the tests of runService.

const schema = z.object({
  failure: z.enum(['none', 'start', 'later']).default('none').describe('What goes wrong.'),
});

runService(async () => {
  const { failure, host, port } = loadConfig(schema);
  tracer('test').startSpan('start').end();
  if (failure === 'start') throw new Error('the model does not fit');
  if (failure === 'later') setTimeout(() => Promise.reject(new Error('nobody caught this')), 1);
  return startInference(
    {
      async *optimize(_requests, { signal }) {
        yield opened(1);
        await sleep(60_000, undefined, { signal });
      },
    },
    { host, port, drainTimeoutMs: 100, onClose: async () => void process.stderr.write('closed\n') },
  );
});
