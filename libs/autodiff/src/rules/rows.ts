import { type Dimension, float, type GraphBuilder, int, ints, string } from '@faultline/onnx';

/** A case of the gradient test: an expression over inputs drawn from a domain away from kinks. */
export interface Row {
  readonly op: string;
  /** What is special about the case. */
  readonly about?: string;
  /** Input shapes; 'batch' axes are tested at size 2. */
  readonly inputs: readonly (readonly Dimension[])[];
  readonly build: (b: GraphBuilder, ...inputs: string[]) => string;
  /** Values lie in [low, high]; [-2, 2] by default, no nearer to 0 than 0.1. */
  readonly domain?: readonly [number, number];
  /** Inputs to differentiate; all by default. */
  readonly wrt?: readonly number[];
  /** float32 where the runtime has no float64 kernel; then the expression must be linear in each input (or `step` given). */
  readonly dataType?: 'float32';
  readonly step?: number;
}

const B = 'batch';
const unary = (op: string, domain?: Row['domain'], attributes = {}): Row => ({
  op,
  inputs: [[B, 3, 4]],
  build: (b, x) => b.op(op, [x], attributes),
  domain,
});

const BINARY_SHAPES: readonly (readonly [string, readonly Dimension[], readonly Dimension[]])[] = [
  ['same shapes', [B, 3], [B, 3]],
  ['vector on the right', [B, 2, 3], [3]],
  ['both broadcast', [B, 3, 1], [1, 4]],
  ['batch axis broadcast', [1, 3], [B, 3]],
  ['scalar on the left', [], [B, 2]],
];

const binary = (op: string, domain?: Row['domain']): Row[] =>
  BINARY_SHAPES.map(([about, left, right]) => ({
    op,
    about,
    inputs: [left, right],
    build: (b, x, y) => b.op(op, [x, y]),
    domain,
  }));

const reduction = (op: string, domain?: Row['domain']): Row[] => [
  { op, about: 'kept axes', inputs: [[B, 3, 4]], build: (b, x) => b.op(op, [x, b.ints([1, -1])]), domain },
  {
    op,
    about: 'dropped axis',
    inputs: [[B, 3, 4]],
    build: (b, x) => b.op(op, [x, b.ints([1])], { keepdims: int(0) }),
    domain,
  },
  { op, about: 'all axes', inputs: [[B, 3]], build: (b, x) => b.op(op, [x], { keepdims: int(0) }), domain },
  {
    op,
    about: 'batch axis merged with another',
    inputs: [[B, 4, 3]],
    build: (b, x) => b.op(op, [b.reshape(x, [-1, 3]), b.ints([1])], { keepdims: int(0) }),
    domain,
  },
];

interface ConvCase {
  readonly x: readonly number[];
  readonly w: readonly number[];
  readonly attributes?: Parameters<GraphBuilder['op']>[2];
  readonly about: string;
}

const CONVOLUTIONS: readonly ConvCase[] = [
  { about: '3x3 same', x: [2, 4, 5], w: [3, 2, 3, 3], attributes: { pads: ints([1, 1, 1, 1]) } },
  { about: '3x3 valid', x: [2, 4, 5], w: [3, 2, 3, 3] },
  { about: '1x1', x: [3, 3, 3], w: [2, 3, 1, 1] },
  {
    about: 'stride 2, padded, even size',
    x: [2, 6, 4],
    w: [3, 2, 3, 3],
    attributes: { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) },
  },
  {
    about: 'stride 2, odd size, remainder unused',
    x: [1, 6, 5],
    w: [2, 1, 3, 2],
    attributes: { strides: ints([2, 2]) },
  },
  {
    about: 'stride 1 by 2, uneven pads',
    x: [1, 4, 6],
    w: [2, 1, 3, 3],
    attributes: { strides: ints([1, 2]), pads: ints([0, 1, 2, 0]) },
  },
  { about: 'patches', x: [2, 4, 6], w: [3, 2, 2, 3], attributes: { strides: ints([2, 3]) } },
  { about: 'stride beyond the kernel', x: [1, 5, 7], w: [2, 1, 1, 2], attributes: { strides: ints([2, 3]) } },
  {
    about: 'dilated',
    x: [1, 6, 5],
    w: [2, 1, 3, 2],
    attributes: { dilations: ints([2, 1]), pads: ints([2, 0, 2, 1]) },
  },
  {
    about: 'dilated and strided',
    x: [1, 7, 8],
    w: [1, 1, 2, 3],
    attributes: { dilations: ints([3, 2]), strides: ints([2, 2]), pads: ints([1, 2, 1, 2]) },
  },
  { about: 'padded beyond the kernel', x: [1, 3, 3], w: [1, 1, 2, 2], attributes: { pads: ints([3, 2, 2, 3]) } },
  {
    about: 'strided, padded beyond the kernel',
    x: [1, 3, 4],
    w: [1, 1, 2, 1],
    attributes: { pads: ints([3, 2, 3, 2]), strides: ints([2, 2]) },
  },
  {
    about: 'groups',
    x: [4, 4, 3],
    w: [6, 2, 3, 3],
    attributes: { group: int(2), strides: ints([2, 1]), pads: ints([1, 1, 1, 1]) },
  },
  {
    about: 'depthwise',
    x: [3, 4, 4],
    w: [3, 1, 3, 3],
    attributes: { group: int(3), pads: ints([1, 1, 1, 1]) },
  },
  { about: '1-D', x: [2, 8], w: [3, 2, 3], attributes: { pads: ints([1, 1]) } },
  { about: '1-D strided', x: [1, 11], w: [2, 1, 5], attributes: { strides: ints([3]), pads: ints([2, 1]) } },
  {
    about: 'SAME_UPPER',
    x: [1, 6, 5],
    w: [2, 1, 3, 2],
    attributes: { auto_pad: string('SAME_UPPER'), strides: ints([2, 1]) },
  },
  {
    about: 'SAME_LOWER',
    x: [1, 5, 6],
    w: [2, 1, 2, 3],
    attributes: { auto_pad: string('SAME_LOWER'), strides: ints([1, 2]) },
  },
  { about: '3-D', x: [1, 3, 4, 3], w: [2, 1, 2, 3, 2], attributes: { strides: ints([1, 2, 1]) } },
];

const POSITIVE = [0.3, 2] as const;

/** All cases; each operator of the table appears at least once. */
export const ROWS: readonly Row[] = [
  ...binary('Add'),
  ...binary('Sub'),
  ...binary('Mul'),
  ...binary('Div', POSITIVE),
  ...binary('Pow', POSITIVE),
  ...binary('Max'),
  ...binary('Min'),
  unary('Neg'),
  unary('Relu'),
  unary('Abs'),
  unary('Sigmoid'),
  unary('Tanh'),
  unary('Exp'),
  unary('Log', POSITIVE),
  unary('Sqrt', POSITIVE),
  unary('Reciprocal', POSITIVE),
  unary('Identity'),
  ...[1, 2, 0.5, 3, -1, 2.5].map(
    (power): Row => ({
      op: 'Pow',
      about: `constant exponent ${power}`,
      inputs: [[B, 3]],
      build: (b, x) => b.op('Pow', [x, b.scalar(power)]),
      domain: POSITIVE,
    }),
  ),
  { op: 'Softplus', inputs: [[B, 3]], build: (b, x) => b.op('Softplus', [x]), dataType: 'float32', step: 1e-2 },
  {
    op: 'LeakyRelu',
    inputs: [[B, 3]],
    build: (b, x) => b.op('LeakyRelu', [x], { alpha: float(0.3) }),
    dataType: 'float32',
    step: 1e-2,
  },
  {
    op: 'Cast',
    inputs: [[B, 3]],
    build: (b, x) => b.op('Cast', [b.op('Cast', [b.times(x, x)], { to: int(11) })], { to: int(11) }),
  },
  {
    op: 'Sum',
    inputs: [[B, 3], [3], [B, 1]],
    build: (b, ...inputs) => b.op('Sum', inputs),
    dataType: 'float32',
    step: 0.5,
  },
  {
    op: 'Mean',
    inputs: [[B, 3], [3], [B, 1]],
    build: (b, ...inputs) => b.op('Mean', inputs),
    dataType: 'float32',
    step: 0.5,
  },
  { op: 'Max', about: 'three inputs', inputs: [[B, 3], [3], [B, 1]], build: (b, ...inputs) => b.op('Max', inputs) },
  { op: 'Clip', inputs: [[B, 6]], build: (b, x) => b.op('Clip', [x, b.scalar(-1), b.scalar(0.5)]) },
  { op: 'Clip', about: 'one bound', inputs: [[B, 6]], build: (b, x) => b.op('Clip', [x, '', b.scalar(0.5)]) },
  {
    op: 'Where',
    inputs: [[B, 3], [3]],
    build: (b, x, y) => b.op('Where', [b.op('Greater', [x, b.scalar(0.5)]), x, y]),
  },
  { op: 'Reshape', inputs: [[B, 2, 6]], build: (b, x) => b.reshape(b.times(x, x), [-1, 3, 2]) },
  { op: 'Flatten', inputs: [[B, 2, 3]], build: (b, x) => b.op('Flatten', [x]) },
  { op: 'Squeeze', inputs: [[B, 1, 3, 1]], build: (b, x) => b.op('Squeeze', [x, b.ints([1, -1])]) },
  { op: 'Unsqueeze', inputs: [[B, 3]], build: (b, x) => b.op('Unsqueeze', [x, b.ints([0, 2])]) },
  { op: 'Transpose', inputs: [[B, 2, 3]], build: (b, x) => b.transpose(x, [2, 0, 1]) },
  { op: 'Transpose', about: 'default order', inputs: [[B, 2, 3]], build: (b, x) => b.op('Transpose', [x]) },
  { op: 'Expand', inputs: [[B, 1]], build: (b, x) => b.op('Expand', [x, b.ints([2, 1, 3])]) },
  {
    op: 'Concat',
    inputs: [
      [B, 2, 2],
      [B, 3, 2],
      [B, 1, 2],
    ],
    build: (b, ...inputs) => b.concat(inputs, 1),
  },
  {
    op: 'Concat',
    about: 'negative axis, middle only',
    inputs: [
      [B, 2],
      [B, 3],
    ],
    build: (b, x, y) => b.concat([x, y, x], -1),
    wrt: [1],
  },
  {
    op: 'Split',
    inputs: [[B, 6]],
    build: (b, x) => {
      const parts = [b.fresh('part'), b.fresh('part')];
      b.add('Split', [x, b.ints([2, 4])], { axis: int(1) }, parts);
      return b.concat([b.times(parts[1] ?? '', parts[1] ?? ''), parts[0] ?? ''], 1);
    },
  },
  {
    op: 'Split',
    about: 'one part unused',
    inputs: [[B, 6]],
    build: (b, x) => {
      const parts = [b.fresh('part'), b.fresh('part')];
      b.add('Split', [x], { axis: int(-1), num_outputs: int(2) }, parts);
      return b.times(parts[1] ?? '', parts[1] ?? '');
    },
  },
  { op: 'Slice', inputs: [[B, 5, 4]], build: (b, x) => b.slice(x, [1, -3], [4, -1], [1, 2]) },
  { op: 'Slice', about: 'step 2', inputs: [[B, 7]], build: (b, x) => b.slice(x, [1], [100], [1], [2]) },
  { op: 'Slice', about: 'backwards', inputs: [[B, 5]], build: (b, x) => b.slice(x, [-1], [-100], [-1], [-1]) },
  { op: 'Slice', about: 'backwards by 2', inputs: [[B, 6]], build: (b, x) => b.slice(x, [4], [0], [1], [-2]) },
  { op: 'Slice', about: 'whole batch axis', inputs: [[B, 6]], build: (b, x) => b.slice(x, [0, 1], [1000, 3], [0, 1]) },
  ...reduction('ReduceSum'),
  ...reduction('ReduceMean'),
  ...reduction('ReduceMax'),
  ...reduction('ReduceMin'),
  ...reduction('ReduceSumSquare').map((row): Row => row),
  ...reduction('ReduceLogSumExp'),
  ...reduction('ReduceL1').map((row): Row => ({ ...row, dataType: 'float32', step: 1e-2 })),
  ...reduction('ReduceL2').map((row): Row => ({ ...row, dataType: 'float32', step: 1e-2 })),
  {
    op: 'ReduceMean',
    about: 'axes as attribute ignored when empty',
    inputs: [[B, 3]],
    build: (b, x) => b.op('ReduceMean', [x], { noop_with_empty_axes: int(1) }),
  },
  {
    op: 'GlobalAveragePool',
    inputs: [[B, 2, 3, 2]],
    build: (b, x) => b.op('GlobalAveragePool', [x]),
    dataType: 'float32',
    step: 0.5,
  },
  {
    op: 'GlobalMaxPool',
    inputs: [[B, 2, 3, 2]],
    build: (b, x) => b.op('GlobalMaxPool', [x]),
    dataType: 'float32',
    step: 1e-3,
  },
  { op: 'Softmax', inputs: [[B, 4]], build: (b, x) => b.op('Softmax', [x]) },
  { op: 'Softmax', about: 'inner axis', inputs: [[B, 3, 2]], build: (b, x) => b.op('Softmax', [x], { axis: int(1) }) },
  { op: 'LogSoftmax', inputs: [[B, 3, 2]], build: (b, x) => b.op('LogSoftmax', [x], { axis: int(-2) }) },
  {
    op: 'MatMul',
    about: 'weights',
    inputs: [
      [B, 3],
      [3, 2],
    ],
    build: (b, x, w) => b.matmul(x, w),
  },
  {
    op: 'MatMul',
    about: 'weights, rank 3',
    inputs: [
      [B, 2, 3],
      [3, 4],
    ],
    build: (b, x, w) => b.matmul(x, w),
  },
  {
    op: 'MatMul',
    about: 'batched',
    inputs: [
      [B, 2, 3],
      [B, 3, 4],
    ],
    build: (b, x, y) => b.matmul(x, y),
  },
  {
    op: 'MatMul',
    about: 'batched, broadcast',
    inputs: [
      [B, 1, 2, 3],
      [2, 3, 4],
    ],
    build: (b, x, y) => b.matmul(x, y),
  },
  {
    op: 'MatMul',
    about: 'matrix on the left',
    inputs: [
      [2, 3],
      [B, 3, 4],
    ],
    build: (b, x, y) => b.matmul(x, y),
  },
  { op: 'MatMul', about: 'vector on the right', inputs: [[B, 2, 3], [3]], build: (b, x, y) => b.matmul(x, y) },
  { op: 'MatMul', about: 'vector on the left', inputs: [[3], [B, 3, 4]], build: (b, x, y) => b.matmul(x, y) },
  { op: 'MatMul', about: 'vectors', inputs: [[3], [3]], build: (b, x, y) => b.matmul(x, y) },
  ...[0, 1, 2, 3].map((bits): Row => {
    const [transA, transB] = [bits & 1, bits >> 1];
    return {
      op: 'Gemm',
      about: `transA ${transA}, transB ${transB}`,
      inputs: [transA ? [3, B] : [B, 3], transB ? [4, 3] : [3, 4], [4]],
      build: (b, ...inputs) =>
        b.op('Gemm', inputs, { transA: int(transA), transB: int(transB), alpha: float(0.5), beta: float(2) }),
    };
  }),
  {
    op: 'Gemm',
    about: 'no bias',
    inputs: [
      [B, 3],
      [3, 4],
    ],
    build: (b, x, w) => b.op('Gemm', [x, w]),
  },
  ...CONVOLUTIONS.map(
    ({ about, x, w, attributes }): Row => ({
      op: 'Conv',
      about,
      inputs: [[B, ...x], w, [w[0] ?? 1]],
      build: (b, ...inputs) => b.op('Conv', inputs, attributes),
      dataType: 'float32',
      step: 0.5,
    }),
  ),
];
