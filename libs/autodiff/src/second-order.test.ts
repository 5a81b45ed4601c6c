import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementCount, float32, type Graph, GraphBuilder, int, ints, type Tensor } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { differentiate } from './differentiate.ts';
import { centralDifferences, float64Data, gradientsAt } from './finite-differences.ts';

const irregular = (dims: readonly number[], scale: number): Tensor =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => scale * (2 * ((i * 0.618034 + 0.137) % 1) - 1)),
    dims,
  );

/** The operators of the reference victims, smooth so that differences are fair: convolution, pooling, attention, log loss. */
function classifier(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', 1, 6, 6]);
  const convolved = b.op('Conv', [x, b.constant(irregular([2, 1, 3, 3], 0.5)), b.constant(irregular([2], 0.1))], {
    pads: ints([1, 1, 1, 1]),
    strides: ints([2, 2]),
  });
  const active = b.op('Gelu', [
    b.op('BatchNormalization', [
      convolved,
      ...[1, 0.1, 0.2, 1.5].map((value) => b.constant(float32([value, value + 0.1]))),
    ]),
  ]);
  const pooled = b.op('AveragePool', [b.op('Softplus', [active])], { kernel_shape: ints([2, 2]) });
  const tokens = b.reshape(pooled, [-1, 2, 4]);
  const normed = b.op('LayerNormalization', [tokens, b.constant(float32([1, 2, 1, 0.5]))], { axis: int(-1) });
  const scores = b.op('Softmax', [b.matmul(normed, b.transpose(normed, [0, 2, 1]))]);
  const logits = b.matmul(b.reshape(b.matmul(scores, normed), [-1, 8]), b.constant(irregular([8, 3], 1)));
  b.output(
    b.negate(b.reduceSum(b.times(b.op('LogSoftmax', [logits]), b.constant(float32([1, 0, 0]))), [1], false)),
    ['batch'],
    'float32',
    'loss',
  );
  return b.graph();
}

test('the gradient of a gradient norm agrees with central differences', async () => {
  const first = differentiate({ graph: classifier(), types: await dryRun(classifier()), output: 'loss', wrt: ['x'] });
  const squared = new GraphBuilder({ prefix: 'norm/' });
  const norm = squared.reduceSum(squared.times('grad/x', 'grad/x'), [1, 2, 3], false);
  const { nodes, initializers } = squared.graph();
  const graph: Graph = {
    ...first,
    nodes: [...first.nodes, ...nodes],
    initializers: new Map([...first.initializers, ...initializers]),
    outputs: [{ name: norm, dataType: 'unknown', dims: undefined }],
  };
  const point = new Map([['x', irregular([2, 1, 6, 6], 1)]]);
  // The second time the gradient's name is taken: this is the gradient of its norm.
  const types = await dryRun(graph);
  const second = differentiate({ graph, types, output: norm, wrt: ['x'], gradName: () => 'second' });
  assert.ok(second.outputs.some(({ name }) => name === 'second'));
  const renamed = {
    ...graph,
    nodes: graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(apart), outputs: node.outputs.map(apart) })),
  };
  const found = float64Data((await gradientsAt(renamed, norm, ['x'], point)).get('x'));
  const expected = (await centralDifferences(renamed, norm, ['x'], point, 5e-3)).get('x') ?? new Float64Array();
  const size = Math.max(...expected.map(Math.abs));
  for (const [i, value] of found.entries()) {
    assert.ok(
      Math.abs(value - (expected[i] ?? Number.NaN)) <= 5e-3 * size,
      `x[${i}]: ${value}, differences say ${expected[i]}`,
    );
  }
});

const apart = (name: string) => (name === 'grad/x' ? 'first/x' : name);
