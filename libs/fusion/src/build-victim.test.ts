import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, encodeModel, float32, type Graph, modelOf, type Tensor } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { buildVictim } from './build-victim.ts';
import { countMacs } from './count-macs.ts';
import type { Parameter, Statistics } from './layers.ts';
import { VICTIM_NAMES, VICTIM_SPECS } from './victim-specs.ts';

const MAC_LIMIT = 40e6;
const MODEL_BYTES_LIMIT = 2e6;
const BATCH = 2;

const wave = (dims: readonly number[], of: (index: number) => number): Tensor =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, index) => of(index)),
    dims,
  );

/** Weights and running statistics without any symmetry that could hide a mistake. */
function arbitraryWeights(parameters: readonly Parameter[], statistics: readonly Statistics[]): Map<string, Tensor> {
  const weights = new Map<string, Tensor>();
  for (const [order, { name, shape, init }] of parameters.entries()) {
    const spread = init.kind === 'he' ? Math.sqrt(2 / init.fanIn) : 0.3;
    const centre = init.kind === 'he' ? 0 : init.value;
    weights.set(
      name,
      wave(shape, (index) => centre + spread * Math.sin(order + 1.7 * index)),
    );
  }
  for (const { mean, variance, channels } of statistics) {
    weights.set(
      mean,
      wave([channels], (index) => Math.sin(index)),
    );
    weights.set(
      variance,
      wave([channels], (index) => 1.5 + Math.cos(3 * index)),
    );
  }
  return weights;
}

const clips = (): Record<'waveform' | 'frames', Tensor> => ({
  waveform: wave([BATCH, 32_000], (index) => 0.3 * Math.sin(0.05 * index) + 0.2 * Math.sin(0.4 * index)),
  frames: wave([BATCH, 8, 3, 64, 64], (index) => 0.5 + 0.5 * Math.sin(0.013 * index)),
});

async function logitsOf(graph: Graph, inputs: Readonly<Record<string, Tensor>>): Promise<Float32Array> {
  await using session = await Session.create(modelOf(graph));
  const feeds = Object.fromEntries(Object.entries(inputs).map(([name, value]) => [name, toOrt(value)]));
  const { logits } = await session.run(feeds, ['logits']);
  assert.ok(logits);
  return float32Data(logits);
}

for (const name of VICTIM_NAMES) {
  describe(`the ${name} victim`, () => {
    const spec = VICTIM_SPECS[name];
    const evaluation = buildVictim(spec, { kind: 'evaluation' });
    const weights = arbitraryWeights(evaluation.parameters, evaluation.statistics);
    const exported = buildVictim(spec, { kind: 'export', weights });

    test('has logits and taps that follow the batch, and stays small', async () => {
      const types = await dryRun(exported.graph);
      assert.deepEqual(types.get('logits')?.dims, [{ batch: 1 }, spec.labels]);
      for (const tap of exported.taps) assert.ok(types.has(tap.value), tap.name);
      assert.deepEqual(types.get('audio.log-mel')?.dims, [{ batch: 1 }, 1, 128, spec.frontEnd.bands]);
      assert.ok(countMacs(exported.graph, types) < MAC_LIMIT);
      assert.ok(encodeModel(modelOf(exported.graph)).byteLength < MODEL_BYTES_LIMIT);
    });

    test('exports to what training evaluates, of plain operators', async () => {
      const inputs = clips();
      const wanted = await logitsOf(evaluation.graph, { ...inputs, ...Object.fromEntries(weights) });
      const found = await logitsOf(exported.graph, inputs);
      for (const [index, value] of wanted.entries()) assert.ok(Math.abs(value - (found[index] ?? Number.NaN)) < 1e-4);
      assert.ok(new Set(wanted).size > spec.labels, 'the two clips differ');
      const operators = new Set(exported.graph.nodes.map(({ op }) => op));
      assert.ok(!operators.has('Sqrt') && !operators.has('BatchNormalization'));
    });

    test('trains the same parameters, and heads for its branches alone', () => {
      const training = buildVictim(spec);
      const ofBranch = (parameter: Parameter) => /^(audio|video)\.head\.(weight|bias)$/.test(parameter.name);
      assert.equal(training.parameters.filter(ofBranch).length, 2 * training.auxiliaryLogits.length);
      assert.deepEqual(
        training.parameters.filter((parameter) => !ofBranch(parameter)),
        exported.parameters,
      );
      for (const parameter of training.parameters) {
        assert.ok(training.graph.inputs.some((input) => input.name === parameter.name));
      }
    });

    test('refuses missing and misshapen weights by name', () => {
      const without = new Map(weights);
      without.delete('head.bias');
      assert.throws(() => buildVictim(spec, { kind: 'export', weights: without }), /'head\.bias' is missing/);
      const misshapen = new Map(weights).set('head.bias', float32([1]));
      assert.throws(() => buildVictim(spec, { kind: 'export', weights: misshapen }), /'head\.bias' is \[1\].*\[12\]/);
    });
  });
}

test('sizes that do not fit are refused by name', () => {
  const spec = VICTIM_SPECS.late;
  assert.throws(() => buildVictim({ ...spec, patches: { frames: 2, side: 5, channels: 8 } }), /patches of 5 pixels/);
  assert.throws(() => buildVictim({ ...spec, patches: { frames: 3, side: 4, channels: 8 } }), /moments of 3 frames/);
  assert.throws(() => buildVictim({ ...spec, waveform: { ...spec.waveform, samples: 32_001 } }), /waveform of 32001/);
});
