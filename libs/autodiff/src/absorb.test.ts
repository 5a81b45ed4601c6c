import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, float32, type Graph, GraphBuilder, ints, modelOf } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { absorb } from './absorb.ts';
import { differentiate } from './differentiate.ts';

const irregular = (dims: readonly number[], seed: number, mean = 0) =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => ((i * 0.6180339887 + seed * 0.37) % 1) - 0.5 + mean),
    dims,
  );

const normalization = (b: GraphBuilder, x: string, channels: number) =>
  b.op('BatchNormalization', [x, ...[1, 0, 0, 1].map((mean, i) => b.constant(irregular([channels], i, mean)))]);

const SIZE = [2, 4, 6, 6] as const;
const batched = ['batch', 4, 6, 6] as const;

const absorbed = async (graph: Graph, kept: readonly string[] = []) => {
  const outputs = graph.outputs.map(({ name }) => name);
  return absorb({ graph, types: await dryRun(graph) }, new Set([...outputs, ...kept]));
};

const opsOf = (graph: Graph) => graph.nodes.map(({ op }) => op);

async function assertSame(graph: Graph, other: Graph) {
  await using plain = await Session.create(modelOf(graph), { optimization: 'basic' });
  await using rewritten = await Session.create(modelOf(other), { optimization: 'basic' });
  const feeds = { x: toOrt(irregular(SIZE, 9)) };
  const [expected, found] = [await plain.run(feeds), await rewritten.run(feeds)];
  for (const [name, tensor] of Object.entries(expected)) {
    const [values, others] = [float32Data(tensor), found[name] && float32Data(found[name])];
    assert.ok(others);
    for (const [i, value] of values.entries()) {
      assert.ok(Math.abs(value - (others[i] ?? Number.NaN)) < 1e-4, `${name}[${i}]: ${others[i]}, expected ${value}`);
    }
  }
}

describe('what scales and shifts about a convolution goes into its weights', () => {
  /** Pixels normalised by channel, two convolutions with normalisation. */
  function network(pads: readonly number[]): Graph {
    const b = new GraphBuilder();
    const x = b.input('x', batched);
    const centred = b.minus(x, b.constant(irregular([1, 4, 1, 1], 1)));
    const scaled = b.over(b.times(centred, b.scalar(4)), b.constant(irregular([4, 1, 1], 2, 1)));
    const first = b.op('Conv', [scaled, b.constant(irregular([8, 4, 3, 3], 3))], { pads: ints(pads) });
    const active = b.relu(normalization(b, first, 8));
    const grouped = { group: { type: 'int', value: 4 } } as const;
    const bias = b.constant(irregular([8], 6));
    const second = b.op('Conv', [b.plus(active, b.scalar(0.5)), b.constant(irregular([8, 2, 1, 1], 5)), bias], grouped);
    b.output(normalization(b, second, 8));
    return b.graph();
  }

  test('without padding all of it', async () => {
    const graph = network([0, 0, 0, 0]);
    const made = await absorbed(graph);
    assert.deepEqual(opsOf(made.graph), ['Conv', 'Relu', 'Conv']);
    for (const name of made.graph.nodes.flatMap(({ inputs }) => inputs)) assert.ok(made.types.has(name), name);
    await assertSame(graph, made.graph);
  });

  test('a shift in front of padding stays', async () => {
    const graph = network([1, 1, 1, 1]);
    const made = await absorbed(graph);
    assert.deepEqual(opsOf(made.graph), ['Sub', 'Conv', 'Relu', 'Conv']);
    await assertSame(graph, made.graph);
  });

  test('values that are kept, or read elsewhere, stay', async () => {
    const graph = network([0, 0, 0, 0]);
    const [centred = '', , scaled = ''] = graph.nodes.flatMap(({ outputs }) => outputs);
    const conv = graph.nodes[3]?.outputs[0] ?? '';
    assert.deepEqual(opsOf((await absorbed(graph, [centred])).graph), ['Sub', 'Conv', 'Relu', 'Conv']);
    assert.deepEqual(opsOf((await absorbed(graph, [scaled])).graph), ['Sub', 'Mul', 'Div', 'Conv', 'Relu', 'Conv']);
    const other = {
      ...graph,
      outputs: [...graph.outputs, { name: conv, dataType: 'unknown', dims: undefined } as const],
    };
    const made = await absorbed(other);
    assert.deepEqual(opsOf(made.graph), ['Conv', 'BatchNormalization', 'Relu', 'Conv']);
    await assertSame(other, made.graph);
  });

  test('weights that are inputs or variables, and constants that are not of the channels, stay', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', batched);
    const rows = b.times(x, b.constant(irregular([1, 1, 6, 1], 1)));
    const first = b.op('Conv', [rows, b.constant(irregular([1, 4, 1, 1], 2), 'w')]);
    const grown = b.times(first, b.constant(irregular([1, 3, 1, 1], 3)));
    b.output(b.op('Conv', [grown, b.constant(irregular([2, 3, 1, 1], 4))]));
    const ops = ['Mul', 'Conv', 'Mul', 'Conv'];
    assert.deepEqual(opsOf((await absorbed(b.graph())).graph), ops);
    const graph = network([0, 0, 0, 0]);
    const weights = graph.nodes[3]?.inputs[1] ?? '';
    assert.deepEqual(opsOf((await absorbed(graph, [weights])).graph).slice(0, 5), [
      'Sub',
      'Mul',
      'Div',
      'Conv',
      'BatchNormalization',
    ]);
  });

  test('an input gradient then holds convolutions and masks alone', async () => {
    const graph = network([0, 0, 0, 0]);
    const [output] = graph.outputs;
    assert.ok(output);
    const made = differentiate({ graph, types: await dryRun(graph), output: output.name, wrt: ['x'] });
    const ops = opsOf(made).filter((op) => !['Identity', 'Shape', 'Expand'].includes(op));
    assert.deepEqual(ops, ['Conv', 'Relu', 'Conv', 'Conv', 'HardSigmoid', 'Mul', 'Conv']);
  });
});
