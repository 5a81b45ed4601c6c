import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inference } from '@faultline/contracts';
import { connect } from './client.ts';
import { FaultlineError } from './errors.ts';
import { HealthService, ServingStatus } from './health.ts';
import { opened, predictRequest, rejection, startInference } from './test-services.ts';

const INFERENCE = 'faultline.inference.v1alpha1.InferenceService';

test('health is SERVING exactly while the service says that it is ready', async () => {
  let ready = false;
  await using server = await startInference({}, { ready: () => ready });
  using health = connect(HealthService, server.address);
  assert.equal((await health.check({ service: '' })).status, ServingStatus.NOT_SERVING);
  ready = true;
  assert.equal((await health.check({ service: '' })).status, ServingStatus.SERVING);
  assert.equal((await health.check({ service: INFERENCE })).status, ServingStatus.SERVING);
  const error = await rejection(health.check({ service: 'no.such.Service' }));
  assert.ok(error instanceof FaultlineError && error.code === 'not_found');
});

test('a watch reports each change', async () => {
  let ready = true;
  await using server = await startInference({}, { ready: () => ready });
  using health = connect(HealthService, server.address);
  const watch = health.watch({ service: INFERENCE });
  assert.equal((await watch.next()).value?.status, ServingStatus.SERVING);
  ready = false;
  assert.equal((await watch.next()).value?.status, ServingStatus.NOT_SERVING);
  await watch.return?.();
});

test('a drain tells health, refuses new calls, and lets a running stream finish', async () => {
  const release = Promise.withResolvers<void>();
  const drainBegan = Promise.withResolvers<void>();
  const order: string[] = [];
  const server = await startInference(
    {
      async *optimize() {
        yield opened(1);
        await release.promise;
        yield opened(2);
        order.push('stream finished');
      },
    },
    {
      drainTimeoutMs: 60_000,
      onDrain: async () => {
        order.push('onDrain');
        drainBegan.resolve();
      },
      onClose: async () => {
        order.push('onClose');
      },
    },
  );
  using client = connect(inference.InferenceServiceService, server.address);
  using health = connect(HealthService, server.address);
  const call = client.optimize();
  await call.responses.next();
  const closed = server.close();
  await drainBegan.promise;
  assert.equal((await health.check({ service: '' })).status, ServingStatus.NOT_SERVING);
  const refused = await rejection(client.predict(predictRequest()));
  assert.ok(refused instanceof FaultlineError && refused.code === 'unavailable');
  assert.match(refused.message, /shutting down/);
  release.resolve();
  assert.equal((await call.responses.next()).done, false);
  assert.equal((await call.responses.next()).done, true);
  await closed;
  assert.deepEqual(order, ['onDrain', 'stream finished', 'onClose']);
});

test('a stream that outlasts the drain is aborted, and its client told so', async () => {
  const ended = Promise.withResolvers<unknown>();
  const server = await startInference(
    {
      async *optimize(_requests, { signal }) {
        try {
          yield opened(1);
          await new Promise((resolve) => signal.addEventListener('abort', resolve));
        } finally {
          ended.resolve(signal.reason);
        }
      },
    },
    { drainTimeoutMs: 10 },
  );
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  await call.responses.next();
  const outcome = rejection(call.responses.next());
  await server.close();
  const error = await outcome;
  assert.ok(error instanceof FaultlineError && error.code === 'unavailable', String(error));
  const reason = await ended.promise;
  assert.ok(reason instanceof FaultlineError && reason.code === 'unavailable');
});

test('closing again with less patience shortens a drain', async () => {
  const server = await startInference(
    {
      async *optimize(_requests, { signal }) {
        yield opened(1);
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      },
    },
    { drainTimeoutMs: 10 * 60_000 },
  );
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  await call.responses.next();
  const closed = server.close();
  const outcome = rejection(call.responses.next());
  await server.close({ drainTimeoutMs: 0 });
  await closed;
  const error = await outcome;
  assert.ok(error instanceof FaultlineError && error.code === 'unavailable');
});

test('an address in use is a clear error', async () => {
  await using server = await startInference();
  const port = Number(server.address.split(':')[1]);
  const error = await rejection(startInference({}, { port }));
  assert.ok(error instanceof FaultlineError);
  assert.match(error.message, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}`));
});
