import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { attack, inference } from '@faultline/contracts';
import { ChannelCredentials, Client, type ServiceError, status as Status } from '@grpc/grpc-js';
import { connect } from './client.ts';
import { FaultlineError } from './errors.ts';
import { register, startServer } from './server.ts';
import {
  attackRequest,
  drain,
  opened,
  openedValue,
  predictRequest,
  rejection,
  startAttack,
  startInference,
  step,
} from './test-services.ts';

const describeRequest = { context: undefined };

test('a unary call returns the response of its handler', async () => {
  await using server = await startInference();
  using client = connect(inference.InferenceServiceService, server.address);
  assert.equal((await client.describe(describeRequest)).runtime, 'test');
});

test('a message larger than the default limit of gRPC travels both ways, unchanged', async () => {
  await using server = await startInference();
  using client = connect(inference.InferenceServiceService, server.address);
  const raw = Buffer.from(Uint8Array.from({ length: 5 * 1024 * 1024 }, (_, index) => index % 251));
  const { logits } = await client.predict(predictRequest(raw));
  assert.deepEqual(logits?.value, { $case: 'raw', value: raw });
});

test('a server stream arrives whole and in order', async () => {
  await using server = await startAttack({
    async *attack() {
      for (let count = 0; count < 100; count++) {
        yield attack.AttackResponse.fromPartial({
          kind: { $case: 'cost', value: { forwardExamples: count } },
        });
      }
    },
  });
  using client = connect(attack.AttackServiceService, server.address);
  const { items, error } = await drain(client.attack(attackRequest));
  assert.equal(error, undefined);
  const counts = items.map(({ kind }) => (kind?.$case === 'cost' ? kind.value.forwardExamples : undefined));
  assert.deepEqual(
    counts,
    Array.from({ length: 100 }, (_, index) => index),
  );
});

test('a bidirectional stream answers each request before the next, then ends', async () => {
  await using server = await startInference();
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  for (let value = 1; value <= 5; value++) {
    await call.send(step(value));
    const { value: response } = await call.responses.next();
    assert.equal(openedValue(response), value);
  }
  call.end();
  assert.equal((await call.responses.next()).done, true);
  const late = await rejection(call.send(step(6)));
  assert.ok(late instanceof FaultlineError && late.code === 'failed_precondition');
});

test('a stream outlives the age of its connection', async () => {
  await using server = await startInference({}, { maxConnectionAgeMs: 20 });
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  for (let value = 1; value <= 10; value++) {
    await call.send(step(value));
    const { value: response } = await call.responses.next();
    assert.equal(openedValue(response), value);
    await setTimeout(10);
  }
  call.end();
  assert.equal((await call.responses.next()).done, true);
});

test('the tighter of own deadline and that of the served call is passed on, and both ends see it pass', async () => {
  const handlerEnd = Promise.withResolvers<unknown>();
  await using inner = await startInference({
    async predict(_request, { signal, deadline }) {
      assert.ok(deadline instanceof Date);
      await once(signal, 'abort');
      handlerEnd.resolve(signal.reason);
      throw new Error('not what the client sees');
    },
  });
  using innerClient = connect(inference.InferenceServiceService, inner.address);
  await using outer = await startInference({
    predict: (request, context) => innerClient.predict(request, { context, deadlineMs: 60_000 }),
  });
  using client = connect(inference.InferenceServiceService, outer.address);
  // Connected first, so that the deadline passes inside the handlers even on a machine that is busy.
  await Promise.all([client.waitForReady(10_000), innerClient.waitForReady(10_000)]);
  const error = await rejection(client.predict(predictRequest(), { deadlineMs: 400 }));
  assert.ok(error instanceof FaultlineError);
  assert.equal(error.code, 'deadline_exceeded');
  const reason = await handlerEnd.promise;
  assert.ok(reason instanceof FaultlineError && reason.code === 'deadline_exceeded');
});

test('an aborted signal cancels the call on both ends, through a service in between', async () => {
  const started = Promise.withResolvers<void>();
  const innerEnd = Promise.withResolvers<unknown>();
  await using inner = await startInference({
    async predict(_request, { signal }) {
      started.resolve();
      await once(signal, 'abort');
      innerEnd.resolve(signal.reason);
      throw signal.reason;
    },
  });
  using innerClient = connect(inference.InferenceServiceService, inner.address);
  await using outer = await startInference({
    predict: (request, context) => innerClient.predict(request, { context }),
  });
  using client = connect(inference.InferenceServiceService, outer.address);
  const controller = new AbortController();
  const outcome = rejection(client.predict(predictRequest(), { signal: controller.signal }));
  await started.promise;
  controller.abort();
  const error = await outcome;
  assert.ok(error instanceof FaultlineError && error.code === 'cancelled');
  const reason = await innerEnd.promise;
  assert.ok(reason instanceof FaultlineError && reason.code === 'cancelled');
});

test('a signal that is aborted already cancels the call before it runs', async () => {
  let served = 0;
  await using server = await startInference({
    describe: async () => inference.DescribeResponse.fromPartial({ threads: ++served }),
  });
  using client = connect(inference.InferenceServiceService, server.address);
  const error = await rejection(client.describe(describeRequest, { signal: AbortSignal.abort() }));
  assert.ok(error instanceof FaultlineError && error.code === 'cancelled');
  assert.equal(served, 0);
});

test('cancelling a bidirectional stream ends the request iterable and runs the finally blocks of the generator', async () => {
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<{ readonly thrown: unknown; readonly aborted: boolean }>();
  await using server = await startInference({
    // biome-ignore lint/correctness/useYield: it is cancelled before it has an answer
    async *optimize(requests, { signal }) {
      let thrown: unknown;
      try {
        for await (const _ of requests) started.resolve();
      } catch (error) {
        thrown = error;
        throw error;
      } finally {
        ended.resolve({ thrown, aborted: signal.aborted });
      }
    },
  });
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  await call.send(step(1));
  await started.promise;
  call.cancel();
  const { thrown, aborted } = await ended.promise;

  assert.ok(thrown instanceof FaultlineError && thrown.code === 'cancelled');
  assert.equal(aborted, true);
  const { error } = await drain(call.responses);
  assert.ok(error instanceof FaultlineError && error.code === 'cancelled');
});

test('leaving a response loop early runs the finally block of a generator that waits at its yield', async () => {
  const ended = Promise.withResolvers<void>();
  await using server = await startAttack({
    async *attack() {
      try {
        while (true) yield attack.AttackResponse.fromPartial({});
      } finally {
        ended.resolve();
      }
    },
  });
  using client = connect(attack.AttackServiceService, server.address);
  for await (const _ of client.attack(attackRequest)) break;
  await ended.promise;
});

test('a connection that is cut aborts the handler', async () => {
  const ended = Promise.withResolvers<unknown>();
  await using server = await startInference({
    async *optimize(_requests, { signal }) {
      yield opened(1);
      await once(signal, 'abort');
      ended.resolve(signal.reason);
    },
  });
  const client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  await call.responses.next();
  client.close();
  call.cancel();
  assert.ok((await ended.promise) instanceof FaultlineError);
});

test('a slow server slows its client: only a bounded number of messages runs ahead', async () => {
  const release = Promise.withResolvers<void>();
  await using server = await startInference({
    async *optimize(requests) {
      await release.promise;
      let count = 0;
      for await (const _ of requests) count++;
      yield opened(count);
    },
  });
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  const message: inference.OptimizeRequest = {
    kind: {
      $case: 'upload',
      value: inference.UploadChunk.fromPartial({ rows: { value: { $case: 'raw', value: Buffer.alloc(512 * 1024) } } }),
    },
  };
  const total = 100;
  let sent = 0;
  const sending = (async () => {
    for (; sent < total; sent++) await call.send(message);
    call.end();
  })();
  // Whatever the pace: the stream is at rest once no message was taken for a number of turns of the event loop.
  let seen = -1;
  while (seen !== sent) {
    seen = sent;
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(sent < 30, `${sent} of ${total} messages ran ahead of a server that reads none`);
  release.resolve();
  await sending;
  assert.equal(openedValue((await call.responses.next()).value), total);
});

test('a slow client slows its server', async () => {
  let produced = 0;
  await using server = await startInference({
    async *optimize() {
      const chunk = Buffer.alloc(512 * 1024);
      for (; produced < 100; produced++) {
        yield {
          kind: {
            $case: 'fetch',
            value: inference.FetchChunk.fromPartial({ rows: { value: { $case: 'raw', value: chunk } } }),
          },
        };
      }
    },
  });
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  await call.responses.next();
  let seen = -1;
  while (seen !== produced) {
    seen = produced;
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(produced < 40, `${produced} messages were produced for a client that read one`);
  assert.equal((await drain(call.responses)).items.length, 99);
});

test('an idempotent unary call is tried again while the server is unavailable, any other is not', async () => {
  let attempts = 0;
  await using server = await startInference({
    async predict({ modelSha256 }) {
      attempts++;
      if (attempts < 3) throw new FaultlineError('unavailable', 'not yet');
      return { logits: undefined, modelSha256, cost: undefined, taps: [] };
    },
  });
  using retrying = connect(inference.InferenceServiceService, server.address, { idempotent: ['predict'] });
  const request = predictRequest(Buffer.alloc(2 * 1024 * 1024), 'abc');
  assert.equal((await retrying.predict(request)).modelSha256, 'abc');
  assert.equal(attempts, 3);
  attempts = 0;
  using plain = connect(inference.InferenceServiceService, server.address);
  const error = await rejection(plain.predict(request));
  assert.ok(error instanceof FaultlineError && error.code === 'unavailable');
  assert.equal(attempts, 1);
});

test('a client says that nobody listens', async () => {
  const server = await startInference();
  const { address } = server;
  await server.close();
  using client = connect(inference.InferenceServiceService, address);
  const error = await rejection(client.describe(describeRequest));
  assert.ok(error instanceof FaultlineError);
  assert.equal(error.code, 'unavailable');
  assert.match(error.message, new RegExp(address));
  const notReady = await rejection(client.waitForReady(50));
  assert.ok(notReady instanceof FaultlineError && notReady.code === 'unavailable');
});

test('an object of a class can be the handlers of a service', async () => {
  class Inference {
    readonly #runtime = 'of a class';
    async describe() {
      return inference.DescribeResponse.fromPartial({ runtime: this.#runtime });
    }
    async predict({ inputs }: inference.PredictRequest) {
      return { logits: inputs[0]?.tensor, modelSha256: '', cost: undefined, taps: [] };
    }
    async differentiate() {
      return inference.DifferentiateResponse.fromPartial({});
    }
    async *optimize() {
      yield opened(1);
    }
  }
  const service = register(inference.InferenceServiceService, new Inference());
  await using server = await startServer({ name: 'inference', services: [service], host: '127.0.0.1', port: 0 });
  using client = connect(inference.InferenceServiceService, server.address);
  assert.equal((await client.describe(describeRequest)).runtime, 'of a class');
});

test("bytes that are no message are the client's fault, in a unary call and in a stream", async () => {
  await using server = await startInference();
  const { path } = inference.InferenceServiceService.predict;
  const garbage = Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1]);
  const asIs = (bytes: Buffer) => bytes;
  const client = new Client(server.address, ChannelCredentials.createInsecure());
  try {
    const unary = await new Promise<ServiceError | null>((resolve) =>
      client.makeUnaryRequest(path, asIs, asIs, garbage, resolve),
    );
    assert.equal(unary?.code, Status.INVALID_ARGUMENT);
    assert.match(unary?.details ?? '', /not a request of/);
    const stream = client.makeBidiStreamRequest(inference.InferenceServiceService.optimize.path, asIs, asIs);
    stream.write(garbage);
    stream.resume();
    const [error]: ServiceError[] = await once(stream, 'error');
    assert.equal(error?.code, Status.INVALID_ARGUMENT);
  } finally {
    client.close();
  }
});
