import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Attributes,
  elementCount,
  float,
  float32,
  GraphBuilder,
  int,
  ints,
  type Model,
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

const levels = (dims: readonly number[], seed = 0.3): Tensor => ({
  dataType: 'uint8',
  dims,
  data: Uint8Array.from({ length: elementCount(dims) }, (_, i) => Math.floor(256 * ((i * 0.618034 + seed) % 1))),
});

const zeroPoint = (value: number): Tensor => ({ dataType: 'uint8', dims: [], data: Uint8Array.of(value) });
const biasLevels = (...values: number[]): Tensor => ({
  dataType: 'int32',
  dims: [values.length],
  data: Int32Array.from(values),
});

type Builder = GraphBuilder;

/** A quantised value as its three inputs: levels, scale, zero point. */
const given = (b: Builder, value: Tensor, scale: number, zero: number): string[] => [
  b.constant(value),
  b.scalar(scale),
  b.constant(zeroPoint(zero)),
];

interface Row {
  readonly op: string;
  readonly about?: string;
  readonly domain?: string;
  readonly x: readonly number[];
  /** The node's inputs, from the levels, scale and zero point of x and those of the result. */
  readonly inputs: (b: Builder, x: readonly string[], y: readonly string[]) => readonly string[];
  readonly attributes?: Attributes;
  /** Whether the result is levels, as it mostly is. */
  readonly result?: 'numbers';
}

/** Scale of results: rounding of one level is the most that the two may differ by. */
const STEP = 0.03;

const unary = (op: string, x: readonly number[], attributes: Attributes = {}): Row => ({
  op,
  x,
  inputs: (_, from, to) => [...from, ...to],
  attributes,
});

const ROWS: readonly Row[] = [
  ...['QLinearAdd', 'QLinearMul'].map(
    (op): Row => ({
      op,
      about: 'broadcast',
      x: [2, 3, 4],
      inputs: (b, from, to) => [...from, ...given(b, levels([3, 1]), 0.01, 100), ...to],
    }),
  ),
  unary('QLinearSigmoid', [2, 5]),
  unary('QLinearLeakyRelu', [2, 5], { alpha: float(0.3) }),
  unary('QLinearGlobalAveragePool', [1, 2, 3, 4]),
  unary('QLinearGlobalAveragePool', [1, 3, 4, 2], { channels_last: int(1) }),
  unary('QLinearAveragePool', [1, 2, 4, 4], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
  unary('QLinearSoftmax', [2, 5], { opset: int(13), axis: int(-1) }),
  {
    op: 'QLinearConcat',
    x: [2, 3],
    inputs: (b, from, to) => [...to, ...from, ...given(b, levels([2, 2]), 0.02, 10)],
    attributes: { axis: int(1) },
  },
  {
    op: 'QLinearWhere',
    x: [2, 3],
    inputs: (b, from, to) => [
      b.constant({ dataType: 'bool', dims: [3], data: Uint8Array.of(1, 0, 1) }),
      ...from,
      ...given(b, levels([2, 3], 0.7), 0.02, 10),
      ...to,
    ],
  },
  {
    op: 'QGemm',
    x: [2, 3],
    inputs: (b, from, to) => [
      ...from,
      ...given(b, levels([4, 3]), 0.01, 120),
      b.constant(biasLevels(10, 200, -50, 90)),
      ...to,
    ],
    attributes: { transB: int(1), alpha: float(1) },
  },
  {
    op: 'QGemm',
    about: 'numbers out',
    x: [2, 3],
    inputs: (b, from) => [...from, ...given(b, levels([3, 4]), 0.01, 120), b.constant(biasLevels(10, 200, -50, 90))],
    result: 'numbers',
  },
  {
    op: 'QLinearConv',
    about: 'channels last',
    x: [1, 4, 4, 2],
    inputs: (b, from, to) => [
      ...from,
      ...given(b, levels([3, 2, 2, 2]), 0.01, 120),
      ...to,
      b.constant(biasLevels(10, 200, -50)),
    ],
    attributes: { channels_last: int(1), strides: ints([2, 1]) },
  },
  {
    op: 'MatMulIntegerToFloat',
    x: [2, 3],
    inputs: (b, [x = '', xs = '', xz = '']) => {
      const [w = '', ws = '', wz = ''] = given(b, levels([3, 4]), 0.01, 120);
      return [x, w, xs, ws, xz, wz, b.constant(irregular([4]))];
    },
    result: 'numbers',
  },
];

function modelOfRow({ op, domain = 'com.microsoft', x, inputs, attributes = {}, result }: Row): Model {
  const b = new GraphBuilder();
  const scale = b.scalar(0.02);
  const zero = b.constant(zeroPoint(128));
  const from = [b.op('QuantizeLinear', [b.input('x', x), scale, zero]), scale, zero];
  const to = [b.scalar(STEP), b.constant(zeroPoint(110))];
  b.append([{ name: '', op, domain, inputs: inputs(b, from, to), outputs: ['made'], attributes }]);
  b.output(
    result === 'numbers' ? b.op('Identity', ['made']) : b.op('DequantizeLinear', ['made', ...to]),
    undefined,
    'unknown',
    'y',
  );
  return { ...b.model(), domains: new Map([['com.microsoft', 1]]) };
}

async function outputOf(model: Model, x: Tensor): Promise<Float32Array> {
  await using session = await Session.create(model, { optimization: 'disabled' });
  const { y } = await session.run({ x: toOrt(x) });
  assert.ok(y);
  return float32Data(y);
}

async function assertSame(model: Model, x: Tensor, tolerance: number): Promise<void> {
  const written = standardModel(model);
  assert.ok(written.graph.nodes.every(({ op, domain }) => domain === '' && !/^Q(Linear|Gemm|Att)|Integer/.test(op)));
  const [found, expected] = [await outputOf(written, x), await outputOf(model, x)];
  assert.equal(found.length, expected.length);
  for (const [i, value] of expected.entries()) {
    assert.ok(Math.abs((found[i] ?? Number.NaN) - value) <= tolerance, `[${i}]: ${found[i]}, was ${value}`);
  }
}

describe('a quantised operator written out computes what it did, to a level', () => {
  for (const row of ROWS) {
    test([row.op, row.about].filter(Boolean).join(', '), () =>
      assertSame(modelOfRow(row), irregular(row.x), row.result === 'numbers' ? 1e-4 : STEP * 1.01),
    );
  }

  test('DynamicQuantizeMatMul', async () => {
    const b = new GraphBuilder();
    const inputs = [b.input('x', [2, 3]), ...given(b, levels([3, 4]), 0.01, 120), b.constant(irregular([4]))];
    b.append([
      { name: '', op: 'DynamicQuantizeMatMul', domain: 'com.microsoft', inputs, outputs: ['y'], attributes: {} },
    ]);
    b.output('y');
    await assertSame({ ...b.model(), domains: new Map([['com.microsoft', 1]]) }, irregular([2, 3]), 1e-4);
  });

  for (const op of ['MatMulInteger', 'ConvInteger']) {
    test(`${op} as dynamic quantisation writes it`, async () => {
      const b = new GraphBuilder();
      const x = b.input('x', op === 'MatMulInteger' ? [2, 3] : [1, 2, 4, 4]);
      const [q, scale, zero] = [b.fresh('levels'), b.fresh('scale'), b.fresh('zero')];
      b.add('DynamicQuantizeLinear', [x], {}, [q, scale, zero]);
      const weights = b.constant(levels(op === 'MatMulInteger' ? [3, 4] : [3, 2, 2, 2]));
      const product = b.op(op, [q, weights, zero, b.constant(zeroPoint(117))]);
      const factor = b.times(scale, b.scalar(0.01));
      b.output(b.times(b.op('Cast', [product], { to: int(1) }), factor), undefined, 'unknown', 'y');
      await assertSame(b.model(), irregular(op === 'MatMulInteger' ? [2, 3] : [1, 2, 4, 4]), 1e-4);
    });
  }

  test('QAttention', async () => {
    const b = new GraphBuilder();
    const [scale, zero] = [b.scalar(0.01), b.constant(zeroPoint(128))];
    const q = b.op('QuantizeLinear', [b.input('x', [1, 3, 4]), scale, zero]);
    const inputs = [
      q,
      b.constant(levels([4, 12])),
      b.constant(irregular([12])),
      scale,
      b.scalar(0.01),
      '',
      zero,
      b.constant(zeroPoint(120)),
    ];
    b.append([
      {
        name: '',
        op: 'QAttention',
        domain: 'com.microsoft',
        inputs,
        outputs: ['y'],
        attributes: { num_heads: int(2) },
      },
    ]);
    b.output('y');
    await assertSame({ ...b.model(), domains: new Map([['com.microsoft', 1]]) }, irregular([1, 3, 4]), 1e-4);
  });
});
