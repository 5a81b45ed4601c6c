import assert from 'node:assert/strict';
import { test } from 'node:test';
import { victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder, int } from '@faultline/onnx';
import { LocalVictim } from './local-victim.ts';
import { sha256Of } from './victim-files.ts';

const SAMPLES = 4;
const HALF = int(10);
const SINGLE = int(1);

function victimOf(model: Uint8Array): { model: Uint8Array; card: victim.Card } {
  const card = victim.Card.fromPartial({
    schemaVersion: 1,
    name: 'plain',
    model: 'model.onnx',
    sha256: sha256Of(model),
    inputs: [{ name: 'sound', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } }],
    logits: 'scores',
    labels: Array.from({ length: SAMPLES }, (_, index) => ({ label: `label-${index}` })),
    logitScale: 1,
  });
  return { model, card };
}

const sound = Float32Array.of(1 / 3, 0.1, -0.7, 0, 0.9, -1 / 3, 0.2, 1);
const batch = new Map([['sound', { dims: [2, SAMPLES], data: sound }]]);

async function logitsOf(model: Uint8Array): Promise<number[]> {
  await using local = await LocalVictim.load(victimOf(model));
  const { logits } = await local.predict(batch);
  assert.deepEqual(logits.dims, [2, SAMPLES]);
  return [...logits.data];
}

const inHalf = (values: Float32Array) => [...Float32Array.from(Float16Array.from(values))];

test('a model in half precision is judged in half precision, although its gradients are computed in single', async () => {
  const b = new GraphBuilder();
  const half = b.op('Cast', [b.input('sound', ['batch', SAMPLES])], { to: HALF });
  b.output(b.op('Cast', [half], { to: SINGLE }), ['batch', SAMPLES], 'float32', 'scores');
  const bytes = encodeModel(b.model());
  assert.deepEqual(await logitsOf(bytes), inHalf(sound));
  assert.notDeepEqual(inHalf(sound), [...sound]);

  const local = await LocalVictim.load(victimOf(bytes));
  const { logits } = await local.differentiate({
    inputs: batch,
    targets: { dims: [2, SAMPLES], data: new Float32Array(2 * SAMPLES).fill(1) },
    objective: 'logit_sum',
    variables: ['sound'],
  });
  assert.deepEqual([...logits.data], [...sound]);
  await local[Symbol.asyncDispose]();
});

test('inputs and outputs of half precision', async () => {
  const b = new GraphBuilder();
  const shifted = b.op('Neg', [b.input('sound', ['batch', SAMPLES], 'float16')]);
  b.output(shifted, ['batch', SAMPLES], 'float16', 'scores');
  assert.deepEqual(
    await logitsOf(encodeModel(b.model())),
    inHalf(sound).map((value) => -value),
  );
});

test('a model for one example at a time is run example by example', async () => {
  const b = new GraphBuilder();
  const weights = float32([0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0], [SAMPLES, SAMPLES]);
  b.output(b.matmul(b.input('sound', [1, SAMPLES]), b.constant(weights)), [1, SAMPLES], 'float32', 'scores');
  const turned = [0, 1].flatMap((row) => [3, 0, 1, 2].map((from) => sound[row * SAMPLES + from]));
  assert.deepEqual(await logitsOf(encodeModel(b.model())), turned);
});

test('logits inside the graph are read where they are', async () => {
  const b = new GraphBuilder();
  b.add('Neg', [b.input('sound', ['batch', SAMPLES])], {}, ['scores']);
  b.output(b.op('Sigmoid', ['scores']), ['batch', SAMPLES], 'float32', 'probabilities');
  assert.deepEqual(
    await logitsOf(encodeModel(b.model())),
    [...sound].map((value) => -value),
  );
});
