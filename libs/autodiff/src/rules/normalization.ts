import { floatAttribute, intAttribute } from '@faultline/onnx';
import { type Dims, normalAxes, range, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

const EPSILON = 1e-5;

/** A vector of the channels, shaped to multiply [batch, channels, ...]. */
const overChannels = (c: RuleContext, vector: Value): Value =>
  c.e.reshape(vector, [
    ...vector.dims,
    ...c
      .input(0)
      .dims.slice(2)
      .map(() => 1),
  ]);

/** Sum over everything but the channels. */
const sumToChannels = (c: RuleContext, value: Value): Value =>
  c.e.reduceSum(value, [0, ...range(2, value.dims.length)], false);

/** 1 / sqrt(variance + epsilon) */
function inverseDeviation(c: RuleContext, variance: Value): Value {
  const { dataType } = variance;
  const epsilon = c.e.scalar(floatAttribute(c.node, 'epsilon', EPSILON), dataType);
  return c.e.divide(c.e.scalar(1, dataType), c.e.unary('Sqrt', c.e.add(variance, epsilon)));
}

/** Inference form: y = scale (x - mean) / sqrt(variance + epsilon) + bias, all per channel. */
export const batchNormalization: Rule = (c) => {
  if (intAttribute(c.node, 'training_mode', 0) === 1) {
    throw c.fail('training mode has no rule; export the model for inference (training_mode = 0)');
  }
  const { e } = c;
  const inverse = () => inverseDeviation(c, c.input(4));
  const centred = () => e.subtract(c.input(0), overChannels(c, c.input(3)));
  return [
    () => e.multiply(c.compactGrad(), overChannels(c, e.multiply(c.input(1), inverse()))),
    () => e.multiply(sumToChannels(c, e.multiply(c.grad(), centred())), inverse()),
    () => sumToChannels(c, c.grad()),
    () => e.negate(e.multiply(sumToChannels(c, c.grad()), e.multiply(c.input(1), inverse()))),
    () => {
      const cubed = e.power(inverse(), e.scalar(3, c.input(4).dataType));
      const slope = e.scale(e.multiply(c.input(1), cubed), -0.5);
      return e.multiply(sumToChannels(c, e.multiply(c.grad(), centred())), slope);
    },
  ];
};

interface Normalized {
  /** (x - mean) / deviation */
  readonly values: Value;
  readonly inverse: Value;
  readonly mean: (value: Value) => Value;
}

/** Standardises a value over some axes, again: the forward node keeps its statistics to itself. */
function normalize(c: RuleContext, x: Value, axes: readonly number[]): Normalized {
  const { e } = c;
  const share = e.inverseCount(x, axes);
  const mean = (value: Value) => e.multiply(e.reduceSum(value, axes), share);
  const centred = e.subtract(x, mean(x));
  const inverse = inverseDeviation(c, mean(e.multiply(centred, centred)));
  return { values: e.multiply(centred, inverse), inverse, mean };
}

/** Gradient of the standardised values -> gradient of x (Ba, Kiros, Hinton 2016). */
function throughNormalization(c: RuleContext, g: Value, { values, inverse, mean }: Normalized): Value {
  const { e } = c;
  const along = e.multiply(values, mean(e.multiply(g, values)));
  return e.multiply(inverse, e.subtract(e.subtract(g, mean(g)), along));
}

/** Standardised over the axes from `axis` on, then scaled and shifted elementwise. */
export const layerNormalization: Rule = (c) => {
  if (c.node.outputs.some((_, i) => i > 0 && c.hasGrad(i))) throw c.fail('its mean and deviation outputs have no rule');
  const x = c.input(0);
  const rank = x.dims.length;
  const [start = 0] = normalAxes([intAttribute(c.node, 'axis', -1)], rank);
  const normalized = () => normalize(c, x, range(start, rank));
  return [
    () => throughNormalization(c, c.e.multiply(c.grad(), c.input(1)), normalized()),
    () => c.e.multiply(c.grad(), normalized().values),
    () => c.grad(),
  ];
};

/** Standardised per example and channel over the spatial axes, then scaled and shifted per channel. */
export const instanceNormalization: Rule = (c) => {
  const x = c.input(0);
  const normalized = () => normalize(c, x, range(2, x.dims.length));
  return [
    () => throughNormalization(c, c.e.multiply(c.grad(), overChannels(c, c.input(1))), normalized()),
    () => sumToChannels(c, c.e.multiply(c.grad(), normalized().values)),
    () => sumToChannels(c, c.grad()),
  ];
};

/** Standardised per example and group of channels; scale and shift per channel (opset 21). */
export const groupNormalization: Rule = (c) => {
  const x = c.input(0);
  const [batch = 1, channels = 1, ...spatial] = x.dims;
  const groups = intAttribute(c.node, 'num_groups', 1);
  const grouped: Dims = [batch, groups, Number(channels) / groups, ...spatial];
  const split = (value: Value) => c.e.reshape(value, grouped);
  const whole = (value: Value) => c.e.reshape(value, x.dims, x);
  const normalized = () => normalize(c, split(x), range(2, grouped.length));
  if (c.input(1).dims[0] !== channels)
    throw c.fail('scale per group (opset before 21) has no rule; convert the model to opset 21');
  return [
    () => whole(throughNormalization(c, split(c.e.multiply(c.grad(), overChannels(c, c.input(1)))), normalized())),
    () => sumToChannels(c, c.e.multiply(c.grad(), whole(normalized().values))),
    () => sumToChannels(c, c.grad()),
  ];
};

/** x / |x| along an axis, in the 1- or 2-norm. Kink: 0 where the norm is 0. */
export const lpNormalization: Rule = (c) => [
  () => {
    const { e } = c;
    const [x, y, g] = [c.input(0), c.output(), c.grad()];
    const p = intAttribute(c.node, 'p', 2);
    const axes = normalAxes([intAttribute(c.node, 'axis', -1)], x.dims.length);
    const norm = p === 1 ? e.reduceSum(e.unary('Abs', x), axes) : e.unary('Sqrt', e.reduceSum(e.multiply(x, x), axes));
    const direction = p === 1 ? e.unary('Sign', x) : y;
    const along = e.multiply(direction, e.reduceSum(e.multiply(g, y), axes));
    const positive = e.compare('Greater', norm, e.scalar(0, x.dataType));
    return e.mask(positive, e.divide(e.subtract(g, along), norm));
  },
];

/**
 * y = x d^-beta, d = bias + alpha / size x (sum of squares over neighbouring channels): the sum is a 1x1 convolution with a
 * band of ones, its adjoint one with the transposed band.
 */
export const localResponseNormalization: Rule = (c) => [
  () => {
    const { e } = c;
    const [x, y, g] = [c.input(0), c.output(), c.grad()];
    const channels = Number(x.dims[1] ?? 1);
    const size = intAttribute(c.node, 'size', 1);
    const share = floatAttribute(c.node, 'alpha', 1e-4) / size;
    const beta = floatAttribute(c.node, 'beta', 0.75);
    const [before, after] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
    const band = (lower: number, upper: number) => {
      const ones = new Float64Array(channels * channels);
      for (let to = 0; to < channels; to++) {
        for (let from = Math.max(0, to - lower); from <= Math.min(channels - 1, to + upper); from++)
          ones[to * channels + from] = 1;
      }
      return e.floating(ones, [channels, channels, ...x.dims.slice(2).map(() => 1)], x.dataType);
    };
    const around = (value: Value, lower: number, upper: number) => e.node('Conv', [value, band(lower, upper)], x.dims);
    const bias = e.scalar(floatAttribute(c.node, 'bias', 1), x.dataType);
    const d = e.add(bias, e.scale(around(e.multiply(x, x), before, after), share));
    const direct = e.multiply(g, e.power(d, e.scalar(-beta, x.dataType)));
    const others = around(e.divide(e.multiply(g, y), d), after, before);
    return e.subtract(direct, e.scale(e.multiply(x, others), 2 * share * beta));
  },
];
