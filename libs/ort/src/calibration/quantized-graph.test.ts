import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import {
  decodeModel,
  elementCount,
  encodeModel,
  float32,
  type Graph,
  GraphBuilder,
  int,
  integers,
  ints,
  modelOf,
  quantizableLayers,
  quantizedValues,
  quantizeGraph,
} from '@faultline/onnx';
import { InferenceSession } from 'onnxruntime-node';
import { Session } from '../session.ts';
import { float32Data, toOrt } from '../tensors.ts';
import { calibrate } from './calibrate.ts';

const irregular = (dims: readonly number[], seed: number, size = 1) =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => size * (2 * ((i * 0.618034 + seed) % 1) - 1)),
    dims,
  );

/** A front end, convolutions with and without Relu, a mean, a product, a Gemm and a last layer. */
function network(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', 2, 8, 8]);
  const front = b.op('Exp', [b.op('Conv', [x, b.constant(irregular([3, 2, 1, 1], 0.2))])], {}, 'front');
  const pads = { pads: ints([1, 1, 1, 1]) };
  const first = b.op(
    'Conv',
    [front, b.constant(irregular([8, 3, 3, 3], 0.3, 0.4)), b.constant(irregular([8], 0.1))],
    pads,
  );
  const second = b.op('Conv', [b.relu(first), b.constant(irregular([6, 8, 3, 3], 0.7, 0.3))], pads);
  const mean = b.reduceMean(second, [2, 3], false);
  const product = b.plus(b.matmul(mean, b.constant(irregular([6, 5], 0.5))), b.constant(irregular([5], 0.9)));
  const bias = b.constant(irregular([4], 0.4));
  const gemm = b.op('Gemm', [b.relu(product), b.constant(irregular([4, 5], 0.6)), bias], { transB: int(1) });
  const logits = b.matmul(b.relu(gemm), b.constant(irregular([4, 3], 0.8)));
  b.output(logits, ['batch', 3], 'float32', 'logits');
  return b.graph();
}

const BATCH = 16;
const point = { x: toOrt(irregular([BATCH, 2, 8, 8], 0.37)) };

async function logitsOf(graph: Graph, optimization: 'all' | 'disabled'): Promise<Float32Array> {
  await using session = await Session.create(modelOf(graph), { optimization });
  const { logits } = await session.run(point);
  assert.ok(logits);
  return float32Data(logits).slice();
}

const largest = (a: Float32Array, b: Float32Array) => Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))));

describe('a quantised graph', async () => {
  const graph = network();
  const layers = quantizableLayers(graph, { floatUntil: ['front'], output: 'logits' });
  const values = quantizedValues(layers);
  const ranges = await calibrate({ graph, values, batches: [point], rule: 'mse', threads: 1 });
  const quantized = quantizeGraph(graph, layers, ranges);
  const folder = await mkdtemp(path.join(tmpdir(), 'faultline-quantized-'));
  after(() => rm(folder, { recursive: true }));

  test('leaves the front end and the last layer as they are', () => {
    assert.deepEqual(
      layers.map(({ node }) => node.op),
      ['Conv', 'Conv', 'MatMul', 'Gemm'],
    );
    const floats = [...quantized.initializers.values()].filter(
      ({ dataType, dims }) => dataType === 'float32' && dims.length > 1,
    );
    assert.deepEqual(
      floats.map(({ dims }) => dims),
      [
        [3, 2, 1, 1],
        [4, 3],
      ],
    );
  });

  test('says nearly the same, joined by the runtime or not', async () => {
    const [before, joined, apart] = [
      await logitsOf(graph, 'all'),
      await logitsOf(quantized, 'all'),
      await logitsOf(quantized, 'disabled'),
    ];
    const spread = Math.max(...before) - Math.min(...before);
    assert.ok(largest(before, joined) < 0.03 * spread, `${largest(before, joined)} of ${spread}`);
    assert.ok(largest(joined, apart) < 0.01 * spread, `${largest(joined, apart)} of ${spread}`);
    assert.ok(largest(before, joined) > 0);
  });

  test('becomes convolutions of whole numbers in the runtime', async () => {
    const optimizedModelFilePath = path.join(folder, 'optimised.onnx');
    const session = await InferenceSession.create(encodeModel(modelOf(quantized)), {
      graphOptimizationLevel: 'extended',
      optimizedModelFilePath,
      logSeverityLevel: 4,
    });
    await session.release();
    const { nodes } = decodeModel(await readFile(optimizedModelFilePath)).graph;
    const count = (op: string) => nodes.filter((node) => node.op === op).length;
    assert.equal(count('QLinearConv'), 2);
    assert.equal(count('Conv'), 1, 'that of the front end');
  });

  test('writes 0 exactly, and weights with seven bits', () => {
    for (const node of quantized.nodes.filter(({ op }) => op === 'QuantizeLinear')) {
      const zero = quantized.initializers.get(node.inputs[2] ?? '')?.data[0];
      assert.ok(typeof zero === 'number' && zero >= 0 && zero <= 255);
    }
    const weights = [...quantized.initializers.values()].filter(({ dataType }) => dataType === 'int8');
    assert.equal(weights.length, 4);
    for (const tensor of weights) assert.equal(Math.max(...integers(tensor).map(Math.abs)), 63);
  });

  test('needs a range for every value', () => {
    assert.throws(() => quantizeGraph(graph, layers, new Map()), /'front' has no range/);
  });
});
