import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differentiate } from '@faultline/autodiff';
import { float32, type Graph, GraphBuilder, modelOf } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { withoutLastReshapes } from './last-reshapes.ts';

const PICTURE = float32(
  Float32Array.from({ length: 2 * 4 * 3 }, (_, i) => Math.sin(i)),
  [2, 4, 3],
);

/** The gradient of a network that folds frames into the batch, [batch, 4, 3] -> [2 batch, 6]. */
async function foldedGradient(): Promise<Graph> {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', 4, 3]);
  const folded = b.reshape(x, [-1, 6]);
  const weights = b.constant(
    float32(
      Float32Array.from({ length: 12 }, (_, i) => Math.cos(i)),
      [6, 2],
    ),
  );
  const squares = b.reshape(b.matmul(b.times(folded, folded), weights), [-1, 4]);
  b.output(b.op('ReduceSum', [squares, b.ints([1])], { keepdims: { type: 'int', value: 0 } }, 'loss'), ['batch']);
  const graph = b.graph();
  return differentiate({ graph, types: await dryRun(graph), output: 'loss', wrt: ['x'] });
}

async function gradientOf(graph: Graph) {
  await using session = await Session.create(modelOf(graph));
  const gradient = (await session.run({ x: toOrt(PICTURE) }))['grad/x'];
  assert.ok(gradient);
  return { dims: gradient.dims, elements: [...float32Data(gradient)], types: session.outputTypes };
}

test('a chosen output comes before its last reshape, with the same elements', async () => {
  const graph = await foldedGradient();
  const made = withoutLastReshapes(graph, new Set(['grad/x']));
  const [shaped, plain] = [await gradientOf(graph), await gradientOf(made)];
  assert.deepEqual(
    [shaped.dims, plain.dims],
    [
      [2, 4, 3],
      [4, 6],
    ],
  );
  assert.deepEqual(plain.elements, shaped.elements);
  assert.deepEqual(plain.types.find(({ name }) => name === 'grad/x')?.dims, [undefined, 6]);
});

test('outputs that are not chosen, are read, or share their elements stay', async () => {
  const graph = await foldedGradient();
  assert.deepEqual(withoutLastReshapes(graph, new Set(['loss'])).nodes, graph.nodes);
  const source = graph.nodes.find(({ outputs }) => outputs[0] === 'grad/x')?.inputs[0] ?? '';
  const shown = {
    ...graph,
    outputs: [...graph.outputs, { name: source, dataType: 'float32', dims: undefined } as const],
  };
  assert.deepEqual(withoutLastReshapes(shown, new Set(['grad/x'])).nodes, graph.nodes);
  const read = { name: '', op: 'Neg', domain: '', inputs: ['grad/x'], outputs: ['negative'], attributes: {} };
  const further = { ...graph, nodes: [...graph.nodes, read] };
  assert.deepEqual(withoutLastReshapes(further, new Set(['grad/x'])).nodes, further.nodes);
});
