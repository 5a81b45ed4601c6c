import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { common, decodeTensor, elementCount, encodeTensor, inference, victim } from '@faultline/contracts';
import { FaultlineError, type RunningServer, register, startServer } from '@faultline/service-kit';
import type { LoopPlan } from '@faultline/victim';
import { RemoteVictim } from './remote-victim.ts';

// A service of the same contract that has no model: it records what arrives and answers by rule, so that each property of the
// client's side can be seen. Loops on real models over this client are tested where the inference service is.

const SAMPLES = 500_000;
const LABELS = 2;

const CARD = victim.Card.fromPartial({
  schemaVersion: 1,
  name: 'ruler',
  model: 'model.onnx',
  sha256: 'a'.repeat(64),
  inputs: [{ name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } }],
  logits: 'logits',
  labels: [{ label: 'speech', threshold: 0 }],
  logitScale: 1,
});

const owned: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of owned.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

interface Recorded {
  readonly requests: inference.OptimizeRequest[];
  readonly predictions: number[];
  /** Rows of the inputs and of the targets. */
  readonly gradients: (readonly [number, number])[];
  /** Resolves with true when a stream's requests have ended by themselves, with false when it was cancelled. */
  readonly ended: Promise<boolean>;
}

type Answer = (request: inference.OptimizeRequest) => Iterable<inference.OptimizeResponse>;

async function serve(
  answer: Answer,
  card = CARD,
): Promise<{ remote: RemoteVictim; recorded: Recorded; server: RunningServer }> {
  const ended = Promise.withResolvers<boolean>();
  const recorded: Recorded = { requests: [], predictions: [], gradients: [], ended: ended.promise };
  const server = await startServer({
    name: 'ruler',
    host: '127.0.0.1',
    port: 0,
    drainTimeoutMs: 0,
    services: [
      register(inference.InferenceServiceService, {
        describe: async () => inference.DescribeResponse.fromPartial({ card, protocolVersion: 2, maxExamples: 64 }),
        async predict({ inputs }) {
          const { dims } = decodeTensor(inputs[0]?.tensor ?? common.Tensor.fromPartial({}));
          const rows = dims[0] ?? 0;
          recorded.predictions.push(rows);
          const logits = encodeTensor({
            dims: [rows, LABELS],
            data: new Float32Array(rows * LABELS).fill(recorded.predictions.length),
          });
          return inference.PredictResponse.fromPartial({
            logits,
            modelSha256: card.sha256,
            cost: { forwardExamples: rows },
          });
        },
        async differentiate({ inputs, targets }) {
          const { dims } = decodeTensor(inputs[0]?.tensor ?? common.Tensor.fromPartial({}));
          const rows = dims[0] ?? 0;
          recorded.gradients.push([rows, targets?.dims[0] ?? 0]);
          const ones = (...sizes: number[]) =>
            encodeTensor({ dims: sizes, data: new Float32Array(elementCount(sizes)).fill(recorded.gradients.length) });
          return inference.DifferentiateResponse.fromPartial({
            gradients: [{ name: 'waveform', tensor: ones(rows, 1) }],
            loss: ones(rows),
            logits: ones(rows, LABELS),
            modelSha256: card.sha256,
            cost: { forwardExamples: rows, gradientExamples: rows },
          });
        },
        async *optimize(requests, { signal }) {
          try {
            for await (const request of requests) {
              recorded.requests.push(request);
              yield* answer(request);
            }
          } finally {
            ended.resolve(!signal.aborted);
          }
        },
      }),
    ],
  });
  const remote = new RemoteVictim(server.address);
  owned.push(server, remote);
  return { remote, recorded, server };
}

const respond = (kind: inference.OptimizeResponse['kind']): inference.OptimizeResponse => ({ kind });
const opened = respond({ $case: 'opened', value: { maxMessageBytes: 1, grantedBytes: 1 } });
const done = (examples: number) => respond({ $case: 'done', value: { examples } });

/** Answers as the contract says; `fetch` in two pieces. */
function* obedient({ kind }: inference.OptimizeRequest): Generator<inference.OptimizeResponse> {
  switch (kind?.$case) {
    case 'open':
      yield opened;
      break;
    case 'step': {
      const outcomes = [{ name: 'margin', tensor: encodeTensor({ dims: [1, 2], data: Float32Array.of(3, 4) }) }];
      const cost = { forwardExamples: 2, gradientExamples: 2 };
      yield respond({ $case: 'step', value: { stepsDone: 1, finished: kind.value.finish, outcomes, cost } });
      break;
    }
    case 'keep':
      yield done(kind.value.examples.length);
      break;
    case 'restart':
      yield done(2);
      break;
    case 'fetch':
      for (const slot of kind.value.slots) {
        const piece = (value: number, last: boolean) =>
          respond({
            $case: 'fetch',
            value: { slot, rows: encodeTensor({ dims: [1, 2], data: Float32Array.of(value, value) }), last },
          });
        yield piece(1, false);
        yield piece(2, true);
      }
  }
}

function plan(over: Partial<LoopPlan> = {}): LoopPlan {
  return {
    modelSha256: 'a'.repeat(64),
    programs: { objective: Uint8Array.of(1), step: Uint8Array.of(2) },
    variables: [{ name: 'waveform', scope: 'example' }],
    exampleClips: [0, 2],
    inputs: new Map([
      ['waveform', { dims: [3, SAMPLES], data: new Float32Array(3 * SAMPLES).map((_, index) => index) }],
    ]),
    targets: { dims: [2, LABELS], data: Float32Array.of(1, 0, 0, 1) },
    ...over,
  };
}

test('opening uploads every slot from its first row to its last in messages below gRPC’s default limit', async () => {
  const { remote, recorded } = await serve(obedient);
  const keys = BigUint64Array.of(1n, 2n ** 63n);
  await using loop = await remote.open(
    plan({
      constants: new Map([['mask', { dims: [], data: Float32Array.of(5) }]]),
      data: new Map([['rank', { dims: [2], data: Uint8Array.of(1, 2) }]]),
      noise: [{ name: 'waveform', distribution: 'normal', dims: [SAMPLES] }],
      noiseKeys: keys,
    }),
    {},
  );
  await loop.step({ steps: 1, parameters: {} });
  const [open, ...rest] = recorded.requests.map(({ kind }) => kind);
  assert.equal(open?.$case, 'open');
  if (open?.$case !== 'open') return;
  assert.equal(open.value.clips, 3);
  assert.deepEqual(
    open.value.announced.map(({ slot, dataType, dims }) => [slot, dataType, dims]),
    [
      ['const/mask', common.DataType.DATA_TYPE_FLOAT32, []],
      ['data/rank', common.DataType.DATA_TYPE_UINT8, [2]],
    ],
  );
  assert.deepEqual(open.value.exampleClips, [0, 2]);
  assert.equal(open.value.noiseKeys.toString('hex'), '0100000000000000' + '0000000000000080');
  const uploads = rest.flatMap((kind) => (kind?.$case === 'upload' ? [kind.value] : []));
  assert.deepEqual(
    uploads.map(({ slot, last, rows }) => [slot, last, rows?.dims]),
    [
      ['const/mask', true, []],
      ['x0/waveform', false, [2, SAMPLES]],
      ['x0/waveform', true, [1, SAMPLES]],
      ['targets', true, [2, LABELS]],
      ['data/rank', true, [2]],
    ],
  );
  const lastRow = uploads[2]?.rows;
  assert.equal(lastRow === undefined ? undefined : decodeTensor(lastRow).data[0], 2 * SAMPLES);
});

test('restart 0 is asked for where there is an init program, and only there', async () => {
  for (const [init, restarts] of [
    [Uint8Array.of(3), 1],
    [undefined, 0],
  ] as const) {
    const { remote, recorded } = await serve(obedient);
    await using loop = await remote.open(plan({ programs: { ...plan().programs, init } }), {
      epsilon: Float32Array.of(1, 2),
    });
    await loop.step({ steps: 1, parameters: {} });
    assert.equal(recorded.requests.filter(({ kind }) => kind?.$case === 'restart').length, restarts);
  }
});

test('steps, compaction and fetched pieces come back as the interface has them', async () => {
  const { remote, recorded } = await serve(obedient);
  await using loop = await remote.open(plan(), {});
  const step = await loop.step({
    steps: 3,
    parameters: { a: new Float32Array(2), b: new Float32Array(6) },
    finish: true,
  });
  assert.deepEqual(step, {
    stepsDone: 1,
    finished: true,
    outcomes: new Map([['margin', Float32Array.of(3, 4)]]),
    cost: { forwardExamples: 2, gradientExamples: 2 },
  });
  const sent = recorded.requests.at(-1)?.kind;
  assert.deepEqual(sent?.$case === 'step' && sent.value.parameters.map(({ tensor }) => tensor?.dims), [[2], [3, 2]]);
  assert.deepEqual(
    await loop.fetch(['x/waveform', 'state/best', 'x/waveform']),
    new Map(['x/waveform', 'state/best'].map((slot) => [slot, { dims: [2, 2], data: Float32Array.of(1, 1, 2, 2) }])),
  );
  await loop.keep([1]);
  assert.equal(loop.examples, 1);
});

test('parameters of the wrong length and an empty choice of examples are refused before anything is sent', async () => {
  const { remote } = await serve(obedient);
  await using loop = await remote.open(plan(), {});
  await assert.rejects(loop.fetch(['x/waveform'], []), { code: 'invalid_argument', message: /examples/ });
  await assert.rejects(loop.step({ steps: 2, parameters: { epsilon: new Float32Array(3) } }), {
    code: 'invalid_argument',
    message: /parameters\.epsilon: has 3 values; give 2 .*or 4/,
  });
});

test('a second call while one runs is refused and disturbs nothing', async () => {
  const { remote } = await serve(obedient);
  await using loop = await remote.open(plan(), {});
  const first = loop.step({ steps: 1, parameters: {} });
  await assert.rejects(loop.keep([0]), { code: 'failed_precondition', message: /busy/ });
  assert.equal((await first).stepsDone, 1);
});

test('disposing ends the stream in order, and the loop refuses further calls', async () => {
  const { remote, recorded } = await serve(obedient);
  const loop = await remote.open(plan(), {});
  await loop[Symbol.asyncDispose]();
  assert.equal(await recorded.ended, true);
  await assert.rejects(loop.step({ steps: 1, parameters: {} }), { code: 'failed_precondition', message: /closed/ });
});

test('an aborted signal ends the call that runs, and the stream on the other side', async () => {
  const { remote, recorded } = await serve(function* ({ kind }) {
    if (kind?.$case === 'open') yield opened;
  });
  const controller = new AbortController();
  await using loop = await remote.open(plan(), {}, { signal: controller.signal });
  const step = loop.step({ steps: 1, parameters: {} });
  controller.abort();
  await assert.rejects(step, { code: 'cancelled' });
  assert.equal(await recorded.ended, false);
});

test('errors keep code and violations and name the victim’s address', async () => {
  const refusal = FaultlineError.invalid('open.programs.step', 'is not ONNX');
  const { remote, server } = await serve(() => {
    throw refusal;
  });
  await assert.rejects(remote.open(plan(), {}), (error: FaultlineError) => {
    assert.equal(error.code, 'invalid_argument');
    assert.deepEqual(error.violations, refusal.violations);
    assert.match(error.message, new RegExp(`victim at ${server.address}: .*is not ONNX`));
    return true;
  });
});

test('a victim that is not there is unavailable, by address', async () => {
  const { remote, server } = await serve(obedient);
  await server.close({ drainTimeoutMs: 0 });
  await assert.rejects(remote.open(plan(), {}), { code: 'unavailable', message: new RegExp(server.address) });
});

test('answers out of turn and streams that end early are errors', async () => {
  const { remote: confused } = await serve(() => [done(2)]);
  await assert.rejects(confused.open(plan(), {}), {
    code: 'internal',
    message: /answered 'done' where 'opened' was due/,
  });
});

test('a large batch is predicted in parts, all by one model', async () => {
  const { remote, recorded } = await serve(obedient);
  const rows = 30;
  const inputs = new Map([['waveform', { dims: [rows, SAMPLES], data: new Float32Array(rows * SAMPLES) }]]);
  const { logits, cost, modelSha256 } = await remote.predict(inputs);
  assert.deepEqual(recorded.predictions, [12, 12, 6]);
  assert.deepEqual(logits.dims, [rows, LABELS]);
  assert.deepEqual([logits.data[0], logits.data.at(-1)], [1, 3]);
  assert.deepEqual([cost.forwardExamples, modelSha256], [rows, 'a'.repeat(64)]);
});

test('a description is refused when its card cannot be used', async () => {
  const { remote } = await serve(obedient);
  assert.equal((await remote.describe()).card.name, 'ruler');
  const { remote: nameless } = await serve(obedient, { ...CARD, name: '' });
  await assert.rejects(nameless.describe(), { code: 'failed_precondition', message: /victim at .*card field 'name'/ });
});
