import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Attributes,
  elementCount,
  float,
  float32,
  GraphBuilder,
  int,
  int64,
  type Model,
  modelOf,
  standardModel,
  type Tensor,
} from '@faultline/onnx';
import { Session } from './session.ts';
import { float32Data, toOrt } from './tensors.ts';

const irregular = (dims: readonly number[], seed = 0.137) =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => 2 * ((i * 0.618034 + seed) % 1) - 1),
    dims,
  );

const int32 = (values: readonly number[], dims: readonly number[]): Tensor => ({
  dataType: 'int32',
  dims,
  data: Int32Array.from(values),
});

interface Row {
  readonly about: string;
  readonly op: string;
  readonly domain?: string;
  readonly opset?: number;
  readonly x: readonly number[];
  /** Inputs behind the first; null for one left out. */
  readonly more: readonly (Tensor | null)[];
  readonly attributes?: Attributes;
  readonly outputs?: readonly string[];
}

const heads = { num_heads: int(2) };
const weights = irregular([4, 12]);
const bias = irregular([12], 0.31);
const [k3, v3] = [irregular([2, 5, 4], 0.4), irregular([2, 5, 4], 0.7)];

const ROWS: readonly Row[] = [
  {
    about: 'raw mask of keys',
    op: 'Attention',
    x: [2, 3, 4],
    more: [weights, bias, int32([1, 1, 0, 1, 1, 1], [2, 3])],
    attributes: heads,
  },
  {
    about: 'raw mask of queries and keys',
    op: 'Attention',
    x: [2, 3, 4],
    more: [
      weights,
      bias,
      int32(
        Array.from({ length: 18 }, (_, i) => (i % 4 === 3 ? 0 : 1)),
        [2, 3, 3],
      ),
    ],
    attributes: { ...heads, mask_filter_value: float(-5) },
  },
  {
    about: 'causal',
    op: 'Attention',
    x: [2, 3, 4],
    more: [weights, bias],
    attributes: { ...heads, unidirectional: int(1) },
  },
  {
    about: 'sizes of their own',
    op: 'Attention',
    x: [2, 3, 4],
    more: [irregular([4, 14]), irregular([14])],
    attributes: { ...heads, qkv_hidden_sizes: { type: 'ints', value: [4, 4, 6] } },
  },
  { about: 'three inputs', op: 'MultiHeadAttention', x: [2, 3, 4], more: [k3, v3], attributes: heads },
  {
    about: 'bias, mask, scores added',
    op: 'MultiHeadAttention',
    x: [2, 3, 4],
    more: [k3, v3, bias, int32([1, 1, 1, 1, 0, 1, 1, 0, 1, 1], [2, 5]), irregular([2, 2, 3, 5])],
    attributes: { ...heads, scale: float(0.7) },
  },
  {
    about: 'keys and values with their heads apart',
    op: 'MultiHeadAttention',
    x: [2, 3, 4],
    more: [irregular([2, 2, 5, 2]), irregular([2, 2, 5, 2], 0.7)],
    attributes: heads,
  },
  {
    about: 'causal',
    op: 'MultiHeadAttention',
    x: [2, 4, 4],
    more: [irregular([2, 4, 4], 0.4), irregular([2, 4, 4], 0.7)],
    attributes: { ...heads, unidirectional: int(1) },
  },
  {
    about: 'four axes, causal',
    op: 'Attention',
    domain: '',
    opset: 23,
    x: [2, 2, 3, 4],
    more: [irregular([2, 2, 3, 4], 0.4), irregular([2, 2, 3, 4], 0.7)],
    attributes: { is_causal: int(1) },
  },
  {
    about: 'three axes, grouped, mask',
    op: 'Attention',
    domain: '',
    opset: 23,
    x: [2, 3, 8],
    more: [
      irregular([2, 5, 4], 0.4),
      irregular([2, 5, 4], 0.7),
      { dataType: 'bool', dims: [3, 5], data: Uint8Array.from({ length: 15 }, (_, i) => (i % 4 === 2 ? 0 : 1)) },
    ],
    attributes: { q_num_heads: int(4), kv_num_heads: int(2), scale: float(0.4) },
  },
  {
    about: 'scores added',
    op: 'Attention',
    domain: '',
    opset: 24,
    x: [1, 2, 3, 4],
    more: [irregular([1, 2, 3, 4], 0.4), irregular([1, 2, 3, 4], 0.7), irregular([3, 3], 0.2)],
  },
  {
    about: '',
    op: 'RMSNormalization',
    domain: '',
    opset: 23,
    x: [2, 3, 4],
    more: [irregular([3, 4])],
    attributes: { axis: int(1) },
  },
  { about: '', op: 'RMSNormalization', domain: '', opset: 23, x: [2, 3, 4], more: [irregular([4])] },
  { about: '', op: 'Swish', domain: '', opset: 24, x: [2, 3], more: [], attributes: { alpha: float(1.3) } },
];

function modelOfRow({
  op,
  domain = 'com.microsoft',
  opset = 21,
  x,
  more,
  attributes = {},
  outputs = ['y'],
}: Row): Model {
  const b = new GraphBuilder();
  const inputs = [b.input('x', x), ...more.map((tensor) => (tensor === null ? '' : b.constant(tensor)))];
  b.append([{ name: 'fused', op, domain, inputs, outputs, attributes }]);
  b.output('y');
  return { ...modelOf(b.graph(), opset), domains: new Map([['com.microsoft', 1]]) };
}

async function outputOf(model: Model, feeds: Readonly<Record<string, Tensor>>): Promise<Float32Array> {
  await using session = await Session.create(model, { optimization: 'disabled' });
  const inputs = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)]));
  const { y } = await session.run(inputs);
  assert.ok(y);
  return float32Data(y);
}

async function assertSame(model: Model, feeds: Readonly<Record<string, Tensor>>, tolerance = 2e-5): Promise<void> {
  const written = standardModel(model);
  assert.equal(written.opset, 21);
  assert.ok(written.graph.nodes.every(({ domain }) => domain === ''));
  const [found, expected] = [await outputOf(written, feeds), await outputOf(model, feeds)];
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs((found[i] ?? Number.NaN) - value) <= tolerance, `[${i}]: ${found[i]}, was ${value}`);
  }
}

describe('attention and what newer operator sets brought, written out, compute what they did', () => {
  for (const row of ROWS) {
    test([row.op, row.about].filter(Boolean).join(', '), () => assertSame(modelOfRow(row), { x: irregular(row.x) }));
  }

  /** The runtime has no kernel for packed values: the separate form is what they are compared with. */
  const packedModel = (attend: (b: GraphBuilder, x: string) => readonly string[]) => {
    const b = new GraphBuilder();
    const inputs = attend(b, b.input('x', [2, 3, 2, 3, 2]));
    b.append([
      { name: '', op: 'MultiHeadAttention', domain: 'com.microsoft', inputs, outputs: ['y'], attributes: heads },
    ]);
    b.output('y');
    return { ...b.model(), domains: new Map([['com.microsoft', 1]]) };
  };
  const part = (b: GraphBuilder, x: string, at: number) =>
    b.reshape(b.op('Gather', [x, b.constant(int64([at], []))], { axis: int(3) }), [2, 3, 4]);

  test('MultiHeadAttention of packed values', async () => {
    const feeds = { x: irregular([2, 3, 2, 3, 2]) };
    const apart = packedModel((b, x) => [part(b, x, 0), part(b, x, 1), part(b, x, 2)]);
    const expected = await outputOf(apart, feeds);
    const packed = packedModel((_, x) => [x]);
    const half = packedModel((b, x) => [part(b, x, 0), b.slice(x, [1], [3], [3])]);
    for (const model of [packed, half]) {
      const found = await outputOf(standardModel(model), feeds);
      assert.ok(found.every((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)) < 1e-5));
    }
  });

  test('EmbedLayerNormalization', async () => {
    const b = new GraphBuilder();
    const ids = b.op('Cast', [b.input('x', [2, 3])], { to: int(6) });
    const tables = [
      irregular([6, 4]),
      irregular([5, 4], 0.2),
      irregular([2, 4], 0.5),
      irregular([4]),
      irregular([4], 0.3),
    ];
    const [words, places, segments, scale, shift] = tables.map((table) => b.constant(table));
    const segmentIds = b.constant(int32([0, 1, 1, 0, 0, 1], [2, 3]));
    const inputs = [ids, segmentIds, words, places, segments, scale, shift].map((name) => name ?? '');
    const outputs = ['y', 'lengths'];
    b.append([{ name: '', op: 'EmbedLayerNormalization', domain: 'com.microsoft', inputs, outputs, attributes: {} }]);
    b.output('y');
    const model = { ...b.model(), domains: new Map([['com.microsoft', 1]]) };
    await assertSame(model, { x: float32([0, 5, 3, 2, 2, 1], [2, 3]) });
  });
});

describe('operator sets beyond the one that graphs are written in', () => {
  test('a model of any set that the runtime runs computes the same', async () => {
    for (const opset of [22, 23, 24, 25, 26]) {
      const b = new GraphBuilder();
      const x = b.input('x', ['batch', 2, 4, 4]);
      const pooled = b.op('MaxPool', [b.op('Conv', [x, b.constant(irregular([3, 2, 3, 3]))])], {
        kernel_shape: { type: 'ints', value: [2, 2] },
      });
      const [top, places] = [b.fresh('top'), b.fresh('places')];
      b.add('TopK', [b.op('Softplus', [b.op('Flatten', [pooled])]), b.constant(int64([2]))], {}, [top, places]);
      b.output(b.op('Round', [b.times(top, b.scalar(100))]), undefined, 'unknown', 'y');
      await assertSame(modelOf(b.graph(), opset), { x: irregular([2, 2, 4, 4]) });
    }
  });

  test('beyond the runtime: refused', () => {
    const b = new GraphBuilder();
    b.output(b.negate(b.input('x', [1])));
    assert.throws(() => standardModel(modelOf(b.graph(), 27)), /opset 27; opsets 7 to 26/);
  });

  test('a new operator in a form without a rewriting is named', () => {
    const b = new GraphBuilder();
    b.output(
      b.op('RotaryEmbedding', [
        b.input('x', [1, 2, 3, 4]),
        b.constant(irregular([3, 2])),
        b.constant(irregular([3, 2])),
      ]),
    );
    assert.throws(() => standardModel(modelOf(b.graph(), 23)), /RotaryEmbedding node .* opset 23/);
  });
});
