import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Attributes, float, float32, GraphBuilder, string } from '@faultline/onnx';
import { float64Data, gradientsAt } from '../finite-differences.ts';

/** e^(-x^2 / 2) / sqrt(2 pi) */
const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** The normal distribution, by its integral (Simpson's rule): no closed form, but no table either. */
function distribution(x: number): number {
  const parts = 200;
  const width = x / parts;
  let sum = density(0) + density(x);
  for (let i = 1; i < parts; i++) sum += (i % 2 === 0 ? 2 : 4) * density(i * width);
  return 0.5 + (sum * width) / 3;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.log1p(Math.exp(x));

interface Slope {
  readonly op: string;
  readonly slope: (x: number) => number;
  readonly attributes?: Attributes;
  /** Values lie in [low, high]; [-2.5, 2.5] by default. */
  readonly domain?: readonly [number, number];
}

const [SELU_ALPHA, SELU_GAMMA] = [1.6732631921768188, 1.0507010221481323];

const SLOPES: readonly Slope[] = [
  { op: 'Abs', slope: Math.sign },
  { op: 'Acos', slope: (x) => -1 / Math.sqrt(1 - x * x), domain: [-0.9, 0.9] },
  { op: 'Acosh', slope: (x) => 1 / Math.sqrt(x * x - 1), domain: [1.1, 4] },
  { op: 'Asin', slope: (x) => 1 / Math.sqrt(1 - x * x), domain: [-0.9, 0.9] },
  { op: 'Asinh', slope: (x) => 1 / Math.sqrt(x * x + 1) },
  { op: 'Atan', slope: (x) => 1 / (1 + x * x) },
  { op: 'Atanh', slope: (x) => 1 / (1 - x * x), domain: [-0.9, 0.9] },
  { op: 'Celu', slope: (x) => (x > 0 ? 1 : Math.exp(x / 0.7)), attributes: { alpha: float(0.7) } },
  { op: 'Cos', slope: (x) => -Math.sin(x) },
  { op: 'Cosh', slope: Math.sinh },
  { op: 'Elu', slope: (x) => (x > 0 ? 1 : 0.6 * Math.exp(x)), attributes: { alpha: float(0.6) } },
  { op: 'Erf', slope: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) },
  { op: 'Exp', slope: Math.exp },
  { op: 'Gelu', slope: (x) => distribution(x) + x * density(x) },
  {
    op: 'Gelu',
    slope: (x) => {
      const scale = Math.sqrt(2 / Math.PI);
      const t = Math.tanh(scale * (x + 0.044715 * x ** 3));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x);
    },
    attributes: { approximate: string('tanh') },
  },
  { op: 'HardSigmoid', slope: (x) => (Math.abs(x) < 2.5 ? 0.2 : 0), domain: [-5, 5.1] },
  { op: 'HardSwish', slope: (x) => (x < -3 ? 0 : x > 3 ? 1 : x / 3 + 0.5), domain: [-5, 5.1] },
  { op: 'LeakyRelu', slope: (x) => (x > 0 ? 1 : 0.1), attributes: { alpha: float(0.1) } },
  { op: 'Log', slope: (x) => 1 / x, domain: [0.01, 5] },
  {
    op: 'Mish',
    slope: (x) => {
      const t = Math.tanh(softplus(x));
      return t + x * (1 - t * t) * sigmoid(x);
    },
  },
  { op: 'Neg', slope: () => -1 },
  { op: 'Reciprocal', slope: (x) => -1 / (x * x), domain: [0.2, 3] },
  { op: 'Relu', slope: (x) => (x > 0 ? 1 : 0) },
  { op: 'Selu', slope: (x) => SELU_GAMMA * (x > 0 ? 1 : SELU_ALPHA * Math.exp(x)) },
  { op: 'Shrink', slope: (x) => (Math.abs(x) > 0.5 ? 1 : 0) },
  { op: 'Sigmoid', slope: (x) => sigmoid(x) * (1 - sigmoid(x)) },
  { op: 'Sin', slope: Math.cos },
  { op: 'Sinh', slope: Math.cosh },
  { op: 'Softplus', slope: sigmoid },
  { op: 'Softsign', slope: (x) => 1 / (1 + Math.abs(x)) ** 2 },
  { op: 'Sqrt', slope: (x) => 0.5 / Math.sqrt(x), domain: [0.01, 5] },
  { op: 'Tan', slope: (x) => 1 / Math.cos(x) ** 2, domain: [-1.2, 1.2] },
  { op: 'Tanh', slope: (x) => 1 - Math.tanh(x) ** 2 },
  { op: 'ThresholdedRelu', slope: (x) => (x > 1 ? 1 : 0) },
];

const POINTS = 41;

/** Rounding of a few float32 operations, relative to the slope and to 1. */
const TOLERANCE = 1.5e-5;

describe('gradients agree with their closed forms', () => {
  for (const { op, slope, attributes = {}, domain: [low, high] = [-2.5, 2.5] } of SLOPES) {
    test([op, ...Object.keys(attributes)].join(', '), async () => {
      const b = new GraphBuilder();
      const y = b.op(op, [b.input('x', [POINTS])], attributes);
      b.output(y);
      // An odd multiple of the spacing keeps clear of kinks at round numbers.
      const x = float32(Float32Array.from({ length: POINTS }, (_, i) => low + ((high - low) * (i + 0.37)) / POINTS));
      const found = float64Data((await gradientsAt(b.graph(), y, ['x'], new Map([['x', x]]))).get('x'));
      for (const [i, value] of found.entries()) {
        const at = Number(x.data[i]);
        const expected = slope(at);
        assert.ok(
          Math.abs(value - expected) <= TOLERANCE * Math.max(1, Math.abs(expected)),
          `at ${at}: ${value}, in closed form ${expected}`,
        );
      }
    });
  }
});
