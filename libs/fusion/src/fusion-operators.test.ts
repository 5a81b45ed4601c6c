import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementCount, float32, modelOf, type Tensor } from '@faultline/onnx';
import { Session } from '@faultline/ort';
import type { FusionOperator } from './designs.ts';
import { fuse } from './fusion-operators.ts';
import { LayerBuilder } from './layers.ts';
import { runAt } from './testing/points.ts';

const [BATCH, STEPS, WIDTH] = [2, 3, 2];
const ramp = (sign: number) => Float32Array.from({ length: BATCH * STEPS * WIDTH }, (_, index) => sign * (index + 1));
const AUDIO = ramp(1);
const VISUAL = ramp(-10);

/** The fused values; `weightOf` gives the elements of a weight by its name and shape. */
async function fused(operator: FusionOperator, weightOf: (name: string, index: number) => number): Promise<number[]> {
  const layers = new LayerBuilder({ kind: 'evaluation' });
  const sequence = (name: string) => ({
    value: layers.graph.input(name, ['batch', STEPS, WIDTH]),
    steps: STEPS,
    width: WIDTH,
  });
  const { value } = fuse(layers, operator, sequence('heard'), sequence('seen'), WIDTH);
  layers.graph.output(value, ['batch', STEPS, WIDTH]);
  const point = new Map<string, Tensor>([
    ['heard', float32(AUDIO, [BATCH, STEPS, WIDTH])],
    ['seen', float32(VISUAL, [BATCH, STEPS, WIDTH])],
    ...layers.parameters.map(({ name, shape }) => {
      const values = Float32Array.from({ length: elementCount(shape) }, (_, index) => weightOf(name, index));
      return [name, float32(values, shape)] as const;
    }),
  ]);
  await using session = await Session.create(modelOf(layers.graph.graph()));
  return [...((await runAt(session, point, ['fused'])).get('fused') ?? [])];
}

const combined = (of: (audio: number, visual: number) => number): number[] =>
  Array.from(AUDIO, (value, index) => of(value, VISUAL[index] ?? Number.NaN));

test('sum weighs both', async () => {
  const found = await fused('sum', (name) => (name === 'fusion.audio' ? 2 : 3));
  assert.deepEqual(
    found,
    combined((audio, visual) => 2 * audio + 3 * visual),
  );
});

test('concat lays audio before visual', async () => {
  // Weight [4, 2]: output 0 is the first feature of the audio, output 1 the second of the visual.
  const weight = [1, 0, 0, 0, 0, 0, 0, 1];
  const found = await fused('concat', (name, index) => (name === 'fusion.weight' ? (weight[index] ?? 0) : 0));
  assert.deepEqual(
    found,
    Array.from(AUDIO, (value, index) => (index % 2 === 0 ? value : (VISUAL[index] ?? 0))),
  );
});

test('FiLM scales and shifts the audio by the visual', async () => {
  const identity = [1, 0, 0, 1];
  const found = await fused('film', (name, index) => {
    if (name === 'fusion.scale.weight') return 2 * (identity[index] ?? 0);
    if (name === 'fusion.scale.bias') return 1;
    return name === 'fusion.shift.bias' ? 0.5 : 0;
  });
  assert.deepEqual(
    found,
    combined((audio, visual) => audio * (1 + 2 * visual) + 0.5),
  );
});

test('the gate passes either, or their mean', async () => {
  const gated = (bias: number) => fused('gated', (name) => (name === 'fusion.gate.bias' ? bias : 0));
  assert.deepEqual(
    await gated(100),
    combined((audio) => audio),
  );
  assert.deepEqual(
    await gated(-100),
    combined((_, visual) => visual),
  );
  assert.deepEqual(
    await gated(0),
    combined((audio, visual) => (audio + visual) / 2),
  );
});
