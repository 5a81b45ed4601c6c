import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inference } from '@faultline/contracts';
import { type Client, connect } from './client.ts';
import { FaultlineError } from './errors.ts';
import { type RunningServer, register, startServer } from './server.ts';
import type { CallContext, Handlers } from './service-definition.ts';
import { rejection, step } from './test-services.ts';

/** No contract has a method of this form yet, so one is put together from messages that exist. */
const SumService = {
  sum: {
    ...inference.InferenceServiceService.optimize,
    path: '/test.Sum/Sum',
    responseStream: false,
    responseSerialize: inference.InferenceServiceService.describe.responseSerialize,
    responseDeserialize: inference.InferenceServiceService.describe.responseDeserialize,
  },
} as const;

let handler: Handlers<typeof SumService>['sum'] = async (requests) => {
  let threads = 0;
  for await (const { kind } of requests) threads += kind?.$case === 'step' ? kind.value.steps : 0;
  return inference.DescribeResponse.fromPartial({ threads });
};
const summing = handler;
let server: RunningServer;
let client: Client<typeof SumService>;

before(async () => {
  const service = register(SumService, {
    sum: (requests: AsyncIterable<inference.OptimizeRequest>, context: CallContext) => handler(requests, context),
  });
  server = await startServer({ name: 'sum', services: [service], host: '127.0.0.1', port: 0, drainTimeoutMs: 200 });
  client = connect(SumService, server.address);
});
after(async () => {
  client.close();
  await server.close();
});

test('a client streams requests and gets one response', async () => {
  handler = summing;
  assert.equal((await client.sum([step(1), step(2), step(3)])).threads, 6);
  const many = async function* () {
    for (let value = 1; value <= 100; value++) yield step(value);
  };
  assert.equal((await client.sum(many())).threads, 5050);
  assert.equal((await client.sum([])).threads, 0);
});

test('a refusal reaches a client that still sends, and ends its sending', async () => {
  handler = async (requests) => {
    for await (const _ of requests) throw FaultlineError.invalid('steps', 'are too many');
    throw new Error('no request came');
  };
  const drawing = Promise.withResolvers<void>();
  const endless = async function* () {
    try {
      while (true) yield step(1);
    } finally {
      drawing.resolve();
    }
  };
  const error = await rejection(client.sum(endless()));
  assert.ok(error instanceof FaultlineError);
  assert.equal(error.code, 'invalid_argument');
  assert.equal(error.violations[0]?.field, 'steps');
  await drawing.promise;
});

test('an error while requests are drawn is the caller’s, and cancels the call', async () => {
  const aborted = Promise.withResolvers<void>();
  handler = async (requests, { signal }) => {
    signal.addEventListener('abort', () => aborted.resolve());
    for await (const _ of requests);
    throw new Error('the requests never end well');
  };
  const broken = async function* () {
    yield step(1);
    throw new Error('disk is gone');
  };
  assert.match(String(await rejection(client.sum(broken()))), /disk is gone/);
  await aborted.promise;
});
