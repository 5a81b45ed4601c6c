import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { inference, victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder, modelOf, quantizableLayers, quantizeGraph } from '@faultline/onnx';
import { LocalVictim } from '@faultline/victim-local';
import { collect, runOf } from './testing/attack-run.ts';
import { normal, randomNumbers } from './testing/random.ts';

const SAMPLES = 60;
const HIDDEN = 24;
const CLIPS = 4;
/** A level of the input is 2 / 255: the attack has to move samples by several. */
const EPSILON = 0.3;

/** Two layers on a waveform, whose second logit is the first one's negative, in floating point or the first of them with byte levels. */
async function twoLayers(quantized: boolean): Promise<LocalVictim> {
  const random = randomNumbers(3);
  const weights = (rows: number, columns: number) =>
    float32(
      Float32Array.from({ length: rows * columns }, () => normal(random) / Math.sqrt(rows)),
      [rows, columns],
    );
  const b = new GraphBuilder();
  const x = b.input('waveform', ['batch', SAMPLES]);
  const hidden = b.relu(b.matmul(x, b.constant(weights(SAMPLES, HIDDEN))));
  const first = b.matmul(hidden, b.constant(weights(HIDDEN, 1)));
  b.output(b.concat([first, b.negate(first)], 1), ['batch', 2], 'float32', 'logits');
  const graph = b.graph();
  const layers = quantizableLayers(graph, { floatUntil: [], output: 'logits' });
  const model = encodeModel(
    modelOf(quantized ? quantizeGraph(graph, layers, new Map([['waveform', { low: -1, high: 1 }]])) : graph),
  );
  const card = victim.Card.fromPartial({
    schemaVersion: 1,
    name: 'two-layers',
    model: 'model.onnx',
    sha256: createHash('sha256').update(model).digest('hex'),
    inputs: [{ name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } }],
    logits: 'logits',
    labels: ['a', 'b'].map((label) => ({ label, threshold: 0 })),
    logitScale: 0.3,
  });
  return LocalVictim.load({ model, card });
}

test('PGD switches a quantised victim off: gradients pass straight through, a fresh prediction agrees', async () => {
  await using original = await twoLayers(false);
  await using quantized = await twoLayers(true);
  const { gradient } = await quantized.describe();
  assert.equal(gradient?.verdict, inference.GradientVerdict.GRADIENT_VERDICT_ESTIMATION);
  assert.deepEqual(gradient?.estimatedOperators, ['QuantizeLinear']);

  const random = randomNumbers(8);
  const data = Float32Array.from({ length: CLIPS * SAMPLES }, () => 0.3 * normal(random));
  const inputs = new Map([['waveform', { dims: [CLIPS, SAMPLES], data }]]);
  const { logits } = await quantized.predict(inputs);
  const { logits: before } = await original.predict(inputs);
  const differences = logits.data.map((value, index) => Math.abs(value - (before.data[index] ?? 0)));
  assert.ok(Math.max(...differences) < 0.03, `${differences}`);

  const labels = Array.from({ length: CLIPS }, (_, clip) => {
    const [first = 0, second = 0] = logits.data.subarray(2 * clip);
    return [first > second ? 0 : 1];
  });
  const run = runOf({
    inputs,
    labels,
    labelCount: 2,
    norm: 'linf',
    budgets: new Map([['waveform', EPSILON]]),
    rungs: [[1, 'never']],
  });
  const { rows } = await collect(quantized, run);
  const attacked = new Map([
    [
      'waveform',
      {
        dims: [CLIPS, SAMPLES],
        data: Float32Array.from(rows.flatMap(({ point }) => [...(point.get('waveform') ?? [])])),
      },
    ],
  ]);
  const { logits: after } = await quantized.predict(attacked);
  for (const [clip, [label = 0]] of labels.entries()) {
    assert.ok((logits.data[2 * clip + label] ?? 0) > 0, 'the label is active on the clean clip');
    assert.ok((after.data[2 * clip + label] ?? 0) < 0, `clip ${clip}: ${after.data[2 * clip + label]}`);
  }
});
