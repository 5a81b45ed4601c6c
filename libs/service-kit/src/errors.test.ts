import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inference } from '@faultline/contracts';
import { Metadata, status as Status } from '@grpc/grpc-js';
import fc from 'fast-check';
import { connect } from './client.ts';
import { FaultlineError } from './errors.ts';
import { fromGrpcStatus, toGrpcStatus } from './grpc-status.ts';
import { decodeViolations, encodeStatusDetails } from './status-details.ts';
import { drain, opened, predictRequest, rejection, startInference, step } from './test-services.ts';

const wellFormed = fc.string({ unit: 'grapheme' });

test('field violations survive the encoding of google.rpc.Status', () => {
  const violations = fc.array(fc.record({ field: wellFormed, description: wellFormed }, { noNullPrototype: true }));
  fc.assert(
    fc.property(fc.nat(16), wellFormed, violations, (code, message, given) => {
      assert.deepEqual(decodeViolations(encodeStatusDetails(code, message, given)), given);
    }),
  );
});

test('status details are the bytes that google/rpc/status.proto asks for', () => {
  const violation = '0a06' + '0a0166' + '120164';
  const typeUrl = Buffer.from('type.googleapis.com/google.rpc.BadRequest').toString('hex');
  const expected = `0803${'12016d'}${'1a35'}${'0a29'}${typeUrl}${'1208'}${violation}`;
  assert.equal(encodeStatusDetails(3, 'm', [{ field: 'f', description: 'd' }]).toString('hex'), expected);
});

test('an error keeps code, message and violations across a service in between', async () => {
  await using inner = await startInference({
    async predict() {
      throw FaultlineError.invalid('inputs[0].tensor', 'has 3 elements; the victim takes 32000');
    },
  });
  using innerClient = connect(inference.InferenceServiceService, inner.address);
  await using outer = await startInference({
    predict: (request, context) => innerClient.predict(request, { context }),
  });
  using client = connect(inference.InferenceServiceService, outer.address);
  const error = await rejection(client.predict(predictRequest()));
  assert.ok(error instanceof FaultlineError);
  assert.equal(error.code, 'invalid_argument');
  assert.equal(error.message, 'inputs[0].tensor: has 3 elements; the victim takes 32000');
  assert.deepEqual(error.violations, [
    { field: 'inputs[0].tensor', description: 'has 3 elements; the victim takes 32000' },
  ]);
});

test('an error thrown in the middle of a stream reaches the client after the responses it has read', async () => {
  await using server = await startInference({
    async *optimize(requests) {
      for await (const { kind } of requests) {
        if (kind?.$case === 'step' && kind.value.steps === 3) throw new FaultlineError('resource_exhausted', 'no slot');
        yield opened(1);
      }
    },
  });
  using client = connect(inference.InferenceServiceService, server.address);
  const call = client.optimize();
  for (const value of [1, 2]) {
    await call.send(step(value));
    assert.equal((await call.responses.next()).done, false);
  }
  await call.send(step(3));
  const { items, error } = await drain(call.responses);
  assert.deepEqual(items, []);
  assert.ok(error instanceof FaultlineError && error.code === 'resource_exhausted');
  const afterwards = await rejection(call.send(step(4)));
  assert.equal(afterwards, error);
});

test('an unexpected error is internal, with its message and without its stack', async (t) => {
  const written: string[] = [];
  t.mock.method(process.stderr, 'write', (line: string) => written.push(line) > 0);
  await using server = await startInference({
    async predict() {
      throw new TypeError('x is not a tensor');
    },
  });
  using client = connect(inference.InferenceServiceService, server.address);
  const error = await rejection(client.predict(predictRequest()));
  assert.ok(error instanceof FaultlineError && error.code === 'internal');
  assert.equal(error.message, 'x is not a tensor');
  assert.equal(written.length, 1);
  const line = JSON.parse(written[0] ?? '{}');
  assert.equal(line.level, 'error');
  assert.match(line.stack, /TypeError: x is not a tensor\n.*errors\.test\.ts/);
});

test('long messages and many violations are cut to what a header block can carry', () => {
  const violations = Array.from({ length: 500 }, () => ({ field: 'f'.repeat(500), description: '\ud800'.repeat(500) }));
  const status = toGrpcStatus(new FaultlineError('invalid_argument', 'm'.repeat(100_000), { violations }));
  assert.ok(status.details.length <= 2000);
  const [details] = status.metadata.get('grpc-status-details-bin');
  assert.ok(details instanceof Buffer && details.length <= 6000);
  const restored = fromGrpcStatus(status);
  assert.equal(restored.code, 'invalid_argument');
  assert.ok(restored.violations.length > 0);
});

test('codes of other servers become the nearest of ours, and garbled details do not hide them', () => {
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff]));
  assert.equal(fromGrpcStatus({ code: Status.OUT_OF_RANGE, details: 'd', metadata }).code, 'invalid_argument');
  assert.equal(fromGrpcStatus({ code: Status.UNKNOWN, details: '', metadata }).message, 'UNKNOWN');
});

test('thrown values become errors by what they are', () => {
  const own = new FaultlineError('not_found', 'no victim');
  assert.equal(FaultlineError.from(own), own);
  assert.equal(FaultlineError.from(new DOMException('x', 'AbortError')).code, 'cancelled');
  assert.equal(FaultlineError.from(new DOMException('x', 'TimeoutError')).code, 'deadline_exceeded');
  assert.equal(FaultlineError.from(new Error('aborted', { cause: own })).code, 'internal');
  assert.equal(FaultlineError.from('text').message, 'text');
});
