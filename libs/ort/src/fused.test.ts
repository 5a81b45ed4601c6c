import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Attributes,
  elementCount,
  float,
  float32,
  GraphBuilder,
  int,
  type Model,
  type Node,
  promoteFloat16,
  rewriteFused,
  string,
  type Tensor,
} from '@faultline/onnx';
import { Session } from './session.ts';
import { float32Data, toOrt } from './tensors.ts';

const irregular = (dims: readonly number[]) =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => 2 * ((i * 0.618034 + 0.137) % 1) - 1),
    dims,
  );

interface Fused {
  readonly op: string;
  readonly about?: string;
  readonly x: readonly number[];
  /** Shapes of further inputs; null for one left out. */
  readonly more?: readonly (readonly number[] | null)[];
  readonly attributes?: Attributes;
  readonly domain?: string;
  readonly outputs?: readonly string[];
}

const skip = ['y', '', '', 'sum'] as const;
const floats = (...value: readonly number[]) => ({ type: 'floats', value }) as const;

const CASES: readonly Fused[] = [
  { op: 'Gelu', x: [2, 3] },
  { op: 'FastGelu', x: [2, 3], more: [[3]] },
  { op: 'FastGelu', about: 'no bias', x: [2, 3] },
  { op: 'BiasGelu', x: [2, 3], more: [[3]] },
  { op: 'QuickGelu', x: [2, 3], attributes: { alpha: float(1.5) } },
  { op: 'FusedConv', x: [1, 2, 4, 4], more: [[3, 2, 3, 3], [3]], attributes: { activation: string('Relu') } },
  {
    op: 'FusedConv',
    about: 'sum and leaky',
    x: [1, 2, 4, 4],
    more: [[3, 2, 3, 3], [3], [1, 3, 2, 2]],
    attributes: { activation: string('LeakyRelu'), activation_params: floats(0.2) },
  },
  {
    op: 'FusedConv',
    about: 'clip',
    x: [1, 2, 4, 4],
    more: [[3, 2, 3, 3], [3]],
    attributes: { activation: string('Clip'), activation_params: floats(0, 0.5) },
  },
  { op: 'FusedGemm', x: [2, 3], more: [[3, 4], [4]], attributes: { activation: string('Tanh') } },
  {
    op: 'FusedGemm',
    about: 'leaky',
    x: [2, 3],
    more: [[4, 3], [4]],
    attributes: { transB: int(1), activation: string('LeakyRelu'), activation_alpha: float(0.3) },
  },
  { op: 'FusedMatMul', x: [2, 3, 4], more: [[2, 4, 2]], attributes: { alpha: float(0.5) } },
  {
    op: 'FusedMatMul',
    about: 'transposed',
    x: [2, 4, 3],
    more: [[2, 2, 4]],
    attributes: { transA: int(1), transB: int(1) },
  },
  {
    op: 'FusedMatMul',
    about: 'batch axes inside',
    x: [3, 2, 4],
    more: [[2, 3, 4]],
    attributes: { transBatchA: int(1), transB: int(1) },
  },
  {
    op: 'SkipLayerNormalization',
    x: [2, 3, 4],
    more: [[2, 3, 4], [4], [4], [4]],
    attributes: { epsilon: float(0.1) },
    outputs: skip,
  },
  { op: 'SkipLayerNormalization', about: 'no bias', x: [2, 3, 4], more: [[2, 3, 4], [4]] },
  {
    op: 'SkipSimplifiedLayerNormalization',
    x: [2, 3, 4],
    more: [[2, 3, 4], [4]],
    attributes: { epsilon: float(0.1) },
    outputs: skip,
  },
  { op: 'SimplifiedLayerNormalization', x: [2, 3, 4], more: [[4]], domain: '', attributes: { epsilon: float(0.1) } },
  { op: 'Attention', x: [2, 3, 4], more: [[4, 12], [12]], attributes: { num_heads: int(2) } },
  {
    op: 'Attention',
    about: 'scale and bias',
    x: [2, 3, 4],
    more: [[4, 12], [12], null, null, [2, 2, 3, 3]],
    attributes: { num_heads: int(2), scale: float(0.3) },
  },
];

function modelOfCase({ op, x, more = [], attributes = {}, domain = 'com.microsoft', outputs = ['y'] }: Fused): Model {
  const b = new GraphBuilder();
  const inputs = [b.input('x', x), ...more.map((dims) => (dims === null ? '' : b.constant(irregular(dims))))];
  const node: Node = { name: 'fused', op, domain, inputs, outputs, attributes };
  b.append([node]);
  for (const name of outputs) if (name !== '') b.output(name);
  return { ...b.model(), domains: new Map([['com.microsoft', 1]]) };
}

async function outputsOf(model: Model, x: Tensor): Promise<number[]> {
  await using session = await Session.create(model, { optimization: 'disabled' });
  const results = await session.run({ x: toOrt(x) });
  return session.outputNames.flatMap((name) => {
    const tensor = results[name];
    assert.ok(tensor);
    return [...float32Data(tensor)];
  });
}

function assertClose(found: readonly number[], expected: readonly number[], tolerance: number) {
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs((found[i] ?? Number.NaN) - value) <= tolerance, `[${i}]: ${found[i]}, was ${value}`);
  }
}

describe('a fused operator written out computes what it did', () => {
  for (const row of CASES) {
    test([row.op, row.about].filter(Boolean).join(', '), async () => {
      const model = modelOfCase(row);
      const written = rewriteFused(model);
      assert.ok(written.graph.nodes.every(({ op, domain }) => domain === '' && !(op === row.op && row.domain === '')));
      assert.equal(written.domains.size, 0);
      const x = irregular(row.x);
      assertClose(await outputsOf(written, x), await outputsOf(model, x), 2e-5);
    });
  }
});

test('a form without a rewriting stays', () => {
  const model = modelOfCase({
    op: 'Attention',
    x: [2, 3, 4],
    more: [[4, 12], [12]],
    attributes: { num_heads: int(2), do_rotary: int(1) },
  });
  assert.equal(rewriteFused(model).graph.nodes.at(-1)?.op, 'Attention');
});

test('whole-integer models are read as levels', async () => {
  const bytes = (...values: readonly number[]): Tensor => ({
    dataType: 'uint8',
    dims: [],
    data: Uint8Array.from(values),
  });
  const levels = (values: readonly number[], dims: readonly number[]): Tensor => ({
    dataType: 'uint8',
    dims,
    data: Uint8Array.from(values),
  });
  const b = new GraphBuilder();
  const [scale, zero] = [b.scalar(0.02), b.constant(bytes(128))];
  const q = b.op('QuantizeLinear', [b.input('x', [1, 1, 3, 3]), scale, zero]);
  const kernel = b.constant(levels([100, 150, 200, 50], [1, 1, 2, 2]));
  const bias: Tensor = { dataType: 'int32', dims: [1], data: Int32Array.of(500) };
  const convolved = b.op('QLinearConv', [
    q,
    scale,
    zero,
    kernel,
    b.scalar(0.01),
    zero,
    b.scalar(0.03),
    zero,
    b.constant(bias),
  ]);
  const flat = b.reshape(convolved, [1, 4]);
  const matrix = b.constant(levels([10, 250, 130, 90, 120, 180, 60, 200], [4, 2]));
  const product = b.op('QLinearMatMul', [
    flat,
    b.scalar(0.03),
    zero,
    matrix,
    b.scalar(0.02),
    zero,
    b.scalar(0.05),
    zero,
  ]);
  b.output(b.op('DequantizeLinear', [product, b.scalar(0.05), zero]), undefined, 'unknown', 'y');
  const model = b.model();
  const written = rewriteFused(model);
  assert.ok(written.graph.nodes.every(({ op }) => !op.startsWith('QLinear')));
  // Rounding of a level is the most that the two may differ by.
  assertClose(
    await outputsOf(written, irregular([1, 1, 3, 3])),
    await outputsOf(model, irregular([1, 1, 3, 3])),
    0.051,
  );
});

test('half precision becomes single precision with the same weights', async () => {
  // 1.5, -2, 0.25 and the smallest half.
  const half: Tensor = { dataType: 'float16', dims: [4], data: Uint16Array.of(0x3e00, 0xc000, 0x3400, 0x0001) };
  const b = new GraphBuilder();
  const x = b.op('Cast', [b.input('x', [4])], { to: int(10) });
  b.output(b.op('Cast', [b.times(x, b.constant(half))], { to: int(1) }), undefined, 'unknown', 'y');
  const promoted = promoteFloat16(b.model());
  assert.deepEqual(await outputsOf(promoted, float32([2, 2, 2, 2])), [3, -4, 0.5, 2 ** -23]);
  assert.deepEqual(await outputsOf(b.model(), float32([2, 2, 2, 2])), [3, -4, 0.5, 2 ** -23]);
});
