import { type Attributes, type Dimension, float, float64, int, int64 } from '@faultline/onnx';
import { B, type Case, CURVED, LINEAR, POSITIVE, SMOOTH } from './case.ts';

const unary = (op: string, more: Partial<Case> = {}, attributes: Attributes = {}): Case => ({
  op,
  inputs: [[B, 3, 4]],
  build: (b, x) => b.op(op, [x], attributes),
  ...more,
});

const BINARY_SHAPES: readonly (readonly [string, readonly Dimension[], readonly Dimension[]])[] = [
  ['same shapes', [B, 3], [B, 3]],
  ['vector on the right', [B, 2, 3], [3]],
  ['both broadcast', [B, 3, 1], [1, 4]],
  ['batch axis broadcast', [1, 3], [B, 3]],
  ['scalar on the left', [], [B, 2]],
];

const binary = (op: string, domain?: Case['domain']): Case[] =>
  BINARY_SHAPES.map(([about, left, right]) => ({
    op,
    about,
    inputs: [left, right],
    build: (b, x, y) => b.op(op, [x, y]),
    domain,
  }));

const variadic = (op: string, more: Partial<Case> = {}): Case => ({
  op,
  about: 'three inputs',
  inputs: [[B, 3], [3], [B, 1]],
  build: (b, ...inputs) => b.op(op, inputs),
  ...more,
});

export const ELEMENTWISE: readonly Case[] = [
  ...binary('Add'),
  ...binary('Sub'),
  ...binary('Mul'),
  ...binary('Div', POSITIVE),
  ...binary('Pow', POSITIVE),
  ...binary('Max'),
  ...binary('Min'),
  variadic('Max'),
  variadic('Sum', LINEAR),
  variadic('Mean', LINEAR),
  unary('Max', { about: 'one input' }),
  ...['Neg', 'Relu', 'Abs', 'Sigmoid', 'Tanh', 'Exp', 'Identity'].map((op) => unary(op)),
  ...['Log', 'Sqrt', 'Reciprocal'].map((op) => unary(op, { domain: POSITIVE })),
  ...['Softplus', 'Softsign', 'Elu', 'Selu', 'HardSigmoid', 'Mish', 'Erf', 'Gelu', 'Sin', 'Cos'].map((op) =>
    unary(op, CURVED),
  ),
  unary('Gelu', { about: 'tanh', ...CURVED }, { approximate: { type: 'string', value: 'tanh' } }),
  unary('HardSigmoid', { about: 'clipped', domain: [-8, 8], ...CURVED }),
  unary('HardSwish', { domain: [-8, 8], ...CURVED }),
  unary('LeakyRelu', CURVED, { alpha: float(0.3) }),
  unary('Elu', { about: 'alpha', ...CURVED }, { alpha: float(0.5) }),
  unary('Dropout'),
  ...['Tan', 'Atan', 'Sinh', 'Cosh', 'Asinh'].map((op) => unary(op, { domain: [-1.2, 1.2], ...SMOOTH })),
  ...['Asin', 'Acos', 'Atanh'].map((op) => unary(op, { domain: [-0.7, 0.7], ...SMOOTH })),
  unary('Acosh', { domain: [1.5, 3], ...SMOOTH }),
  unary('Celu', CURVED, { alpha: float(0.5) }),
  unary('ThresholdedRelu', CURVED, { alpha: float(0.7) }),
  unary('Shrink', CURVED, { lambd: float(0.53), bias: float(0.2) }),
  {
    op: 'PRelu',
    inputs: [
      [B, 3, 2],
      [3, 1],
    ],
    build: (b, x, slope) => b.op('PRelu', [x, slope]),
    ...CURVED,
  },
  ...[1, 2, 0.5, 3, -1, 2.5].map(
    (power): Case => ({
      op: 'Pow',
      about: `constant exponent ${power}`,
      inputs: [[B, 3]],
      build: (b, x) => b.op('Pow', [x, b.scalar(power)]),
      domain: POSITIVE,
    }),
  ),
  {
    op: 'Cast',
    about: 'through float64',
    inputs: [[B, 3]],
    build: (b, x) => b.op('Cast', [b.op('Cast', [x], { to: int(11) })], { to: int(1) }),
    ...LINEAR,
  },
  {
    op: 'CastLike',
    about: 'a variable, and a constant of its type',
    inputs: [[B, 3]],
    build: (b, x) => {
      const wide = b.constant(float64([2], []));
      const twice = b.times(x, b.op('CastLike', [wide, x]));
      return b.op('CastLike', [b.op('CastLike', [twice, wide]), x]);
    },
    ...LINEAR,
  },
  { op: 'Clip', inputs: [[B, 6]], build: (b, x) => b.op('Clip', [x, b.scalar(-1), b.scalar(0.5)]) },
  { op: 'Clip', about: 'one bound', inputs: [[B, 6]], build: (b, x) => b.op('Clip', [x, '', b.scalar(0.5)]) },
  ...[0, 1].map(
    (crossed): Case => ({
      op: 'Clip',
      about: crossed === 0 ? 'bounds too' : 'bounds that cross',
      inputs: [[B, 8], [], []],
      build: (b, x, low, high) => {
        const [down, up] = crossed === 0 ? [-0.9, 0.8] : [0.8, -0.9];
        const near = (value: string, to: number) => b.plus(b.times(value, b.scalar(0.02)), b.scalar(to));
        return b.op('Clip', [x, near(low ?? '', down), near(high ?? '', up)]);
      },
    }),
  ),
  unary('Selu', { about: 'attributes', ...CURVED }, { alpha: float(1.2), gamma: float(0.8) }),
  unary('HardSigmoid', { about: 'attributes', ...CURVED }, { alpha: float(0.3), beta: float(0.4) }),
  unary('LeakyRelu', { about: 'default slope', ...CURVED }),
  {
    op: 'PRelu',
    about: 'one slope',
    inputs: [[B, 3], [1]],
    build: (b, x, slope) => b.op('PRelu', [x, slope]),
    ...CURVED,
  },
  {
    op: 'Where',
    about: 'three shapes',
    inputs: [
      [B, 1, 2],
      [3, 1],
    ],
    build: (b, x, y) =>
      b.op('Where', [b.constant({ dataType: 'bool', dims: [1, 2], data: Uint8Array.of(1, 0) }), x, y]),
  },
  {
    op: 'Pow',
    about: 'integer exponents by element',
    inputs: [[B, 3]],
    build: (b, x) => b.op('Pow', [x, b.constant(int64([2, 3, 1]))]),
    domain: POSITIVE,
  },
  {
    op: 'Where',
    inputs: [[B, 3], [3]],
    build: (b, x, y) => b.op('Where', [b.op('Greater', [x, b.scalar(0.5)]), x, y]),
  },
];
