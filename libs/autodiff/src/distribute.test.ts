import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, float32, type Graph, GraphBuilder, modelOf } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { differentiate } from './differentiate.ts';
import { distribute } from './distribute.ts';

const irregular = (dims: readonly number[], seed: number) =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => ((i * 0.6180339887 + seed * 0.37) % 1) - 0.5),
    dims,
  );

const STEPS = 5;
const STEP = 12;

/** Spectra of windows of two steps each, silence after the last: [batch, samples] -> [batch x steps, columns]. */
function spectra(columns: number, filling = 0): { readonly graph: Graph; readonly heard: string } {
  const b = new GraphBuilder();
  const each = b.reshape(b.input('x', ['batch', STEPS * STEP]), [-1, STEPS, STEP]);
  const padded = b.op('Pad', [each, b.ints([0, 0, 0, 0, 1, 0]), b.scalar(filling)]);
  const later = b.op('Slice', [padded, b.ints([1]), b.ints([STEPS + 1]), b.ints([1])]);
  const heard = b.concat([each, later], 2);
  const spectrum = b.matmul(b.reshape(heard, [-1, 2 * STEP]), b.constant(irregular([2 * STEP, columns], 1)));
  b.output(b.op('Mul', [spectrum, spectrum], {}, 'power'), undefined, 'unknown', 'power');
  return { graph: b.graph(), heard };
}

const distributed = async (graph: Graph, kept: readonly string[] = []) =>
  distribute({ graph, types: await dryRun(graph) }, new Set(['power', ...kept])).graph;

const countOf = (graph: Graph, op: string) => graph.nodes.filter((node) => node.op === op).length;

async function run(graph: Graph, output: string): Promise<Float32Array> {
  await using session = await Session.create(modelOf(graph), { optimization: 'basic' });
  const found = (await session.run({ x: toOrt(irregular([3, STEPS * STEP], 4)) }, [output]))[output];
  assert.ok(found);
  return float32Data(found);
}

function assertClose(found: Float32Array, expected: Float32Array) {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(value - (found[i] ?? Number.NaN)) < 1e-5, `[${i}]: ${found[i]}, expected ${value}`);
}

describe('products of rows put together from parts', () => {
  /** The operators that make the value which is squared, last first. */
  const chainOf = (graph: Graph): string[] => {
    const chain: string[] = [];
    let node = graph.nodes.find(({ outputs }) => outputs.includes('power'));
    while (node !== undefined) {
      const [, last = node.inputs[0]] = node.op === 'Add' ? node.inputs : [];
      node = graph.nodes.find(({ outputs }) => outputs.includes(last ?? ''));
      if (node !== undefined) chain.push(node.op);
    }
    return chain;
  };

  test('what is shifted is the product, and the result stays', async () => {
    const { graph } = spectra(4);
    const made = await distributed(graph);
    assert.deepEqual(chainOf(made), ['Identity', 'Reshape', 'Add', 'Slice', 'Pad', 'MatMul', 'Reshape']);
    assertClose(await run(made, 'power'), await run(graph, 'power'));
  });

  test('padding other than zeros is not moved', async () => {
    const { graph } = spectra(4, 1);
    const made = await distributed(graph);
    assert.deepEqual(chainOf(made), ['Identity', 'Reshape', 'Add', 'Slice', 'MatMul', 'Pad', 'Reshape']);
    assertClose(await run(made, 'power'), await run(graph, 'power'));
  });

  test('gradients are those of the graph as it was', async () => {
    const { graph } = spectra(4);
    const types = await dryRun(graph);
    const gradient = differentiate({ graph, types, output: 'power', wrt: ['x'] });
    assert.equal(countOf(gradient, 'Concat'), 0);
    // The windows are an output: they must be written out, and the products are made of them.
    const { graph: shown, heard } = spectra(4);
    const kept = {
      ...shown,
      outputs: [...shown.outputs, { name: heard, dataType: 'unknown' as const, dims: undefined }],
    };
    const plain = differentiate({ graph: kept, types, output: 'power', wrt: ['x'] });
    assert.equal(countOf(plain, 'Concat'), 1);
    assertClose(await run(gradient, 'grad/x'), await run(plain, 'grad/x'));
  });

  for (const [what, graph, kept] of [
    ['products as wide as the rows', spectra(12).graph, []],
    ['windows that must stay', spectra(4).graph, [spectra(4).heard]],
  ] as const) {
    test(`${what} stay as they are`, async () => {
      const made = await distributed(graph, kept);
      assert.equal(made, graph);
    });
  }

  test('products of parts side by side', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', STEPS * STEP]);
    const half = (STEPS * STEP) / 2;
    const parts = [0, half].map((start) => b.op('Slice', [x, b.ints([start]), b.ints([start + half]), b.ints([1])]));
    const joined = b.concat(
      parts.map((part) => b.relu(part)),
      -1,
    );
    b.output(
      b.op('MatMul', [joined, b.constant(irregular([2 * half, 7], 2))], {}, 'power'),
      undefined,
      'unknown',
      'power',
    );
    const graph = b.graph();
    const made = await distributed(graph);
    assert.equal(countOf(made, 'MatMul'), 2);
    assertClose(await run(made, 'power'), await run(graph, 'power'));
  });
});
