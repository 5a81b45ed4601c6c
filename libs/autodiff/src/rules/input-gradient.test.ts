import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, float32, type Graph, GraphBuilder, int, ints, modelOf } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { differentiate } from '../differentiate.ts';

interface Form {
  readonly inputs: number;
  readonly outputs: number;
  readonly size: readonly number[];
  readonly kernel: readonly number[];
  readonly stride?: readonly number[];
  readonly pads?: readonly number[];
  readonly groups?: number;
}

const irregular = (dims: readonly number[], seed: number) =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => ((i * 0.6180339887 + seed * 0.37) % 1) - 0.5),
    dims,
  );

/** loss [batch] = sum of conv(x) times an input g; conv(x) is an output too. */
function weighed({ inputs, outputs, size, kernel, stride, pads, groups = 1 }: Form): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', inputs, ...size]);
  const w = b.constant(irregular([outputs, inputs / groups, ...kernel], 1));
  const y = b.op(
    'Conv',
    [x, w],
    {
      strides: ints(stride ?? kernel.map(() => 1)),
      pads: ints(pads ?? kernel.flatMap(() => [0, 0])),
      group: int(groups),
    },
    'y',
  );
  b.output(y, undefined);
  b.output(b.times(y, b.input('g', ['batch', outputs, ...kernel.map(() => '')])), undefined, 'unknown', 'loss');
  return b.graph();
}

/** How far <g, conv(d)> and <gradient, d> differ: a convolution is linear, so that nothing but rounding may. */
async function checkAdjoint(form: Form): Promise<Graph> {
  const batch = 2;
  const graph = weighed(form);
  const dims = [batch, form.inputs, ...form.size];
  const outputsOnly = { ...graph, outputs: [], nodes: graph.nodes.slice(0, 1) };
  const plain = { ...outputsOnly, inputs: graph.inputs.slice(0, 1), outputs: graph.outputs.slice(0, 1) };
  await using forward = await Session.create(modelOf(plain));
  const d = irregular(dims, 5);
  const { y } = await forward.run({ x: toOrt(d) });
  assert.ok(y);
  const g = irregular(y.dims, 3);
  const types = new Map(await dryRun(plain));
  const axes = types.get('y')?.dims ?? [];
  const alike = ['g', ...graph.nodes.flatMap(({ outputs }) => outputs)];
  for (const name of alike) types.set(name, { dataType: 'float32', dims: axes });
  const made = differentiate({ graph, types, output: 'loss', wrt: ['x'] });
  await using session = await Session.create(modelOf(made));
  const { 'grad/x': found } = await session.run({ x: toOrt(irregular(dims, 7)), g: toOrt(g) }, ['grad/x']);
  assert.ok(found);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
  const expected = dot(float32Data(y), float32Data(toOrt(g)));
  const actual = dot(float32Data(found), float32Data(toOrt(d)));
  const scale = Math.sqrt(dot(float32Data(y), float32Data(y)) * dot(float32Data(toOrt(g)), float32Data(toOrt(g))));
  assert.deepEqual(found.dims, dims);
  assert.ok(Math.abs(actual - expected) < 1e-5 * scale, `${JSON.stringify(form)}: ${actual}, expected ${expected}`);
  return made;
}

const opsOf = (graph: Graph) => new Set(graph.nodes.map(({ op }) => op));

describe('input gradients of convolutions', () => {
  test('small strided pictures of many channels go by phases, whatever kernel, stride and padding', async () => {
    const forms: Form[] = [
      { inputs: 64, outputs: 64, size: [4, 4], kernel: [3, 3], stride: [2, 2], pads: [1, 1, 1, 1] },
      { inputs: 72, outputs: 64, size: [4, 4], kernel: [2, 2], stride: [2, 2] },
      { inputs: 64, outputs: 80, size: [4, 4], kernel: [5, 4], stride: [2, 2], pads: [2, 1, 2, 2] },
      { inputs: 64, outputs: 64, size: [6, 6], kernel: [3, 4], stride: [3, 3] },
      { inputs: 64, outputs: 64, size: [4, 2], kernel: [3, 3], stride: [2, 2], pads: [0, 0, 1, 1] },
      { inputs: 64, outputs: 64, size: [6, 6], kernel: [3, 3], stride: [2, 2], pads: [0, 0, 0, 0] },
      { inputs: 64, outputs: 64, size: [2, 4], kernel: [3, 3], stride: [2, 2], pads: [4, 1, 0, 1] },
    ];
    for (const form of forms) {
      const ops = opsOf(await checkAdjoint(form));
      const places = form.size.map((size, i) => {
        const [pads = [], stride = 1] = [form.pads ?? [0, 0, 0, 0], form.stride?.[i]];
        return Math.floor((size + (pads[i] ?? 0) + (pads[i + 2] ?? 0) - (form.kernel[i] ?? 1)) / stride) + 1;
      });
      assert.equal(ops.has('DepthToSpace'), elementCount(places) <= 4, JSON.stringify(form));
      assert.equal(ops.has('ConvTranspose'), elementCount(places) > 4, JSON.stringify(form));
    }
  });

  test('larger, grouped and uneven ones stay transposed convolutions', async () => {
    const pads = [1, 1, 1, 1];
    const forms: Form[] = [
      { inputs: 8, outputs: 6, size: [9, 7], kernel: [3, 3], stride: [2, 2], pads },
      { inputs: 64, outputs: 64, size: [4, 4], kernel: [3, 3], stride: [2, 1], pads },
      { inputs: 64, outputs: 64, size: [4, 4], kernel: [3, 3], stride: [2, 2], pads, groups: 64 },
    ];
    for (const form of forms) assert.ok(opsOf(await checkAdjoint(form)).has('ConvTranspose'), JSON.stringify(form));
  });

  test('kernels of one frame or one pixel over three axes become convolutions over two', async () => {
    const forms: Form[] = [
      { inputs: 4, outputs: 6, size: [3, 8, 6], kernel: [1, 3, 3], stride: [1, 2, 2], pads: [0, 1, 1, 0, 1, 1] },
      { inputs: 4, outputs: 6, size: [3, 8, 6], kernel: [1, 3, 3], pads: [0, 1, 1, 0, 1, 1] },
      { inputs: 4, outputs: 6, size: [6, 4, 3], kernel: [3, 1, 1], stride: [2, 1, 1], pads: [1, 0, 0, 1, 0, 0] },
      { inputs: 4, outputs: 6, size: [6, 4, 3], kernel: [3, 1, 1], pads: [0, 0, 0, 2, 0, 0] },
      { inputs: 4, outputs: 6, size: [3, 4, 3], kernel: [1, 1, 1] },
      { inputs: 4, outputs: 8, size: [3, 4, 5], kernel: [1, 3, 3], pads: [0, 1, 1, 0, 1, 1], groups: 2 },
    ];
    for (const form of forms) {
      const backward = (await checkAdjoint(form)).nodes.filter(({ outputs }) => outputs[0] !== 'y');
      const convolutions = backward.filter(({ op }) => op === 'Conv' || op === 'ConvTranspose');
      assert.deepEqual(
        convolutions.map(({ attributes }) => attributes.pads?.type === 'ints' && attributes.pads.value.length),
        [4],
      );
    }
    const full: Form = { inputs: 4, outputs: 6, size: [4, 5, 6], kernel: [3, 3, 3], stride: [2, 2, 2] };
    assert.ok(opsOf(await checkAdjoint(full)).has('ConvTranspose'));
  });
});
