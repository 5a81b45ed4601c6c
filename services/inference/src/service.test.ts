import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { encodeTensor, inference, victim as victimContract } from '@faultline/contracts';
import { encodeModel, GraphBuilder } from '@faultline/onnx';
import {
  type Client,
  connect,
  FaultlineError,
  type RunningServer,
  register,
  startServer,
} from '@faultline/service-kit';
import type { LoopPlan } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import { Admission } from './admission.ts';
import { Compute } from './compute.ts';
import type { Serving } from './optimize.ts';
import { inferenceHandlers } from './service.ts';

const SAMPLES = 64;
const PIXELS = 2 * 3 * 4 * 4;
const LABELS = 3;
const EXAMPLES = 2;
const LOOP_BYTES = 2 ** 20;
const IDLE_MS = 400;
const definition = inference.InferenceServiceService;

const wave = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 1.3));
const toy = linearVictim({
  waveform: wave(SAMPLES * LABELS, 1),
  frames: wave(PIXELS * LABELS, 0.5),
  bias: wave(LABELS, 0.1),
  frameDims: [2, 4, 4],
});
const inputs = new Map([
  ['waveform', { dims: [EXAMPLES, SAMPLES], data: wave(EXAMPLES * SAMPLES, 0.3) }],
  [
    'frames',
    { dims: [EXAMPLES, 2, 3, 4, 4], data: Uint8Array.from({ length: EXAMPLES * PIXELS }, (_, i) => (i * 37) % 256) },
  ],
]);

function plan(): LoopPlan {
  const objective = new GraphBuilder();
  const chosen = objective.times(objective.input('logits', ['e', LABELS]), objective.input('targets', ['e', LABELS]));
  objective.output(objective.reduceSum(chosen, [1], false), ['e'], 'float32', 'loss');
  const step = new GraphBuilder();
  for (const [name, dims] of [
    ['waveform', ['e', SAMPLES]],
    ['frames', ['e', 2, 3, 4, 4]],
  ] as const) {
    const moved = step.minus(
      step.input(`x/${name}`, dims),
      step.times(step.scalar(0.01), step.input(`grad/${name}`, dims)),
    );
    step.output(moved, dims, 'float32', `next/${name}`);
  }
  step.output(step.input('loss', ['e']), ['e'], 'float32', 'outcome/loss');
  return {
    modelSha256: toy.card.sha256,
    programs: { objective: encodeModel(objective.model()), step: encodeModel(step.model()) },
    variables: [
      { name: 'waveform', scope: 'example' },
      { name: 'frames', scope: 'example' },
    ],
    exampleClips: [0, 1],
    inputs,
    targets: { dims: [EXAMPLES, LABELS], data: Float32Array.of(1, 0, 0, 0, 1, 1) },
  };
}

let folder: string;
let compute: Compute;
let server: RunningServer;
let raw: Client<typeof definition>;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'faultline-inference-'));
  await writeFile(path.join(folder, 'model.onnx'), toy.model);
  await writeFile(path.join(folder, 'card.json'), JSON.stringify(victimContract.Card.toJSON(toy.card)));
  compute = await Compute.start({ victimDir: folder, threads: 1, optimizeSlots: 1 });
  const admission = new Admission({ slots: 1, bytes: LOOP_BYTES });
  const serving: Serving = { compute, admission, idleTimeoutMs: IDLE_MS };
  const services = [register(definition, inferenceHandlers(serving))];
  server = await startServer({
    name: 'inference',
    host: '127.0.0.1',
    port: 0,
    services,
    onClose: () => compute[Symbol.asyncDispose](),
  });
  raw = connect(definition, server.address);
});

after(async () => {
  raw.close();
  await server.close();
  await rm(folder, { recursive: true });
});

test('a loop over gRPC gives bit for bit what it gives in this process', async () => {
  await using remote = new RemoteVictim(server.address);
  await using local = await LocalVictim.load(toy);
  const results = [];
  for (const victim of [remote, local]) {
    await using loop = await victim.open(plan(), {});
    const { outcomes, cost } = await loop.step({ steps: 5, parameters: {}, finish: true });
    const tensors = await loop.fetch(['x/waveform', 'x/frames']);
    results.push({
      losses: [...(outcomes.get('loss') ?? [])],
      cost,
      x: [...tensors].map(([slot, tensor]) => [slot, ...tensor.data]),
    });
  }
  assert.deepEqual(results[0], results[1]);
  const predictions = [await remote.predict(inputs), await local.predict(inputs)];
  assert.deepEqual(predictions[0]?.logits.data, predictions[1]?.logits.data);
});

test('a slot is refused while taken, and free again after its loop ended or its client left', async () => {
  await using remote = new RemoteVictim(server.address);
  {
    await using _loop = await remote.open(plan(), {});
    await _loop.step({ steps: 1, parameters: {} });
    await assert.rejects(remote.open(plan(), {}), (error: FaultlineError) => error.code === 'resource_exhausted');
  }
  const left = await remote.open(plan(), {}, { signal: AbortSignal.timeout(50) }).catch(() => undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await left?.[Symbol.asyncDispose]();
  await using again = await remote.open(plan(), {});
  assert.equal((await again.step({ steps: 1, parameters: {} })).stepsDone, 1);
});

const badPredictions: readonly (readonly [string, Partial<inference.PredictRequest>, RegExp])[] = [
  ['no inputs', { inputs: [] }, /input 'waveform' is missing/],
  ['another model', { modelSha256: 'f'.repeat(64) }, /expects model f+ but this service holds/],
  [
    'bytes that do not fill the shape',
    {
      inputs: [{ name: 'waveform', tensor: { ...encodeTensor({ dims: [4], data: new Float32Array(4) }), dims: [5] } }],
    },
    /inputs\[waveform\].*needs 20 bytes but holds 16/,
  ],
  [
    'a wrong shape',
    { inputs: [{ name: 'waveform', tensor: encodeTensor({ dims: [1, 3], data: new Float32Array(3) }) }] },
    /must be \[batch, 64\]/,
  ],
];
for (const [name, request, message] of badPredictions) {
  test(`a prediction is refused for ${name}`, async () => {
    const call = raw.predict(inference.PredictRequest.fromPartial(request));
    await assert.rejects(
      call,
      (error) => error instanceof FaultlineError && error.code !== 'internal' && message.test(error.message),
    );
  });
}

test('a stream that breaks the order of messages is refused', async () => {
  const call = raw.optimize();
  await call.send({ kind: { $case: 'keep', value: { examples: [] } } });
  await assert.rejects(call.responses.next(), /first message must be open, not keep/);
});

test('a program that reads what nobody provides is refused by name', async () => {
  await using remote = new RemoteVictim(server.address);
  const good = plan();
  const step = new GraphBuilder();
  step.output(
    step.plus(step.input('loss', ['e']), step.input('param/missing', ['e'])),
    ['e'],
    'float32',
    'outcome/loss',
  );
  await using loop = await remote.open(
    { ...good, programs: { ...good.programs, step: encodeModel(step.model()) } },
    {},
  );
  await assert.rejects(
    loop.step({ steps: 1, parameters: {} }),
    (error: FaultlineError) => error.code === 'invalid_argument' && /slot 'param\/missing'/.test(error.message),
  );
});
