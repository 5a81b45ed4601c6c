import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildVictim, countMacs, type MidSpec, VICTIM_SPECS, type Weights } from '@faultline/fusion';
import { elementCount, float32, type Graph, modelOf } from '@faultline/onnx';
import { dryRun, type Feeds, float32Data, Session } from '@faultline/ort';
import { feedsOf, inputsOf } from '../labelled-set.ts';
import { quantizeVictim } from './quantize-victim.ts';

const CLIPS = 6;
const SPEC: MidSpec = {
  ...VICTIM_SPECS.mid,
  waveform: { sampleRateHz: 16_000, samples: 4000 },
  frames: { frameRateHz: 4, frames: 2, height: 16, width: 16 },
  audio: [{ channels: 8, kernel: [3, 3], stride: [2, 2] }],
  video: [{ channels: 8, kernel: [3, 3], stride: [2, 2] }],
  temporal: [{ channels: 8, kernel: [3, 1], stride: [1, 1] }],
  labels: 3,
  embedding: 8,
};

/** Numbers in [-1, 1), the same everywhere. */
const irregular = (index: number, seed: number) => 2 * (((index + 1 + 31 * seed) * 0.6180339887498949 * 97.31) % 1) - 1;

function weightsOf(spec: MidSpec): Weights {
  const { parameters, statistics } = buildVictim(spec);
  const weights = parameters.map(({ name, shape, init }, seed) => {
    const [centre, size] = init.kind === 'he' ? [0, Math.sqrt(6 / init.fanIn)] : [init.value, 0.1];
    const values = Float32Array.from({ length: elementCount(shape) }, (_, i) => centre + size * irregular(i, seed));
    return [name, float32(values, shape)] as const;
  });
  const running = statistics.flatMap(({ layer, channels }) => [
    [`${layer}.mean`, float32(new Float32Array(channels))] as const,
    [`${layer}.variance`, float32(new Float32Array(channels).fill(1))] as const,
  ]);
  return new Map([...weights, ...running]);
}

const feeds = feedsOf(
  {
    start: 0,
    size: CLIPS,
    inputs: {
      waveform: Float32Array.from({ length: CLIPS * SPEC.waveform.samples }, (_, i) => 0.3 * irregular(i, 1)),
      frames: Uint8Array.from({ length: CLIPS * 2 * 3 * 16 * 16 }, (_, i) => 127 * (1 + irregular(i, 2))),
    },
  },
  inputsOf(SPEC),
);

async function logitsOf(graph: Graph, point: Feeds): Promise<Float32Array> {
  await using session = await Session.create(modelOf(graph));
  const { logits } = await session.run(point);
  assert.ok(logits);
  return float32Data(logits).slice();
}

test('a victim of 8 bits: front end and last layer as they were, nearly the same logits, every tap still there', async () => {
  const { graph, taps } = buildVictim(SPEC, { kind: 'export', weights: weightsOf(SPEC) });
  const options = { logits: 'logits', batches: [feeds], rule: 'mse', threads: 1 } as const;
  const quantized = await quantizeVictim(graph, options);
  assert.deepEqual(quantized.layers, [
    'audio.1.weight',
    'video.0.weight',
    'video.1.weight',
    'temporal.1.weight',
    'fusion.embed.weight',
  ]);

  const [before, after] = [await logitsOf(graph, feeds), await logitsOf(quantized.graph, feeds)];
  const spread = Math.max(...before) - Math.min(...before);
  for (const [index, value] of after.entries()) {
    assert.ok(Math.abs(value - (before[index] ?? 0)) < 0.1 * spread, `logit ${index}: ${value}, ${before[index]}`);
  }

  const types = await dryRun(quantized.graph);
  for (const { value } of taps) assert.ok(types.has(value), value);
  assert.equal(countMacs(quantized.graph, types), countMacs(graph, await dryRun(graph)));
  const end = graph.nodes.findIndex(({ outputs }) => outputs.includes('audio.log-mel'));
  await assert.rejects(
    quantizeVictim({ ...graph, nodes: graph.nodes.slice(0, end + 1) }, options),
    /no layer between its front end and its last layer/,
  );
});
