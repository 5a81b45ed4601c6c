import { floatAttribute, intAttribute } from '@faultline/onnx';
import { type Dims, normalAxes, product, range, type Value } from '../dims.ts';
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
  const count = Number(product(axes.map((axis) => x.dims[axis] ?? 1)));
  const mean = (value: Value) => e.scale(e.reduceSum(value, axes), 1 / count);
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
  const whole = (value: Value) => c.e.reshape(value, x.dims);
  const normalized = () => normalize(c, split(x), range(2, grouped.length));
  if (c.input(1).dims[0] !== channels)
    throw c.fail('scale per group (opset before 21) has no rule; convert the model to opset 21');
  return [
    () => whole(throughNormalization(c, split(c.e.multiply(c.grad(), overChannels(c, c.input(1)))), normalized())),
    () => sumToChannels(c, c.e.multiply(c.grad(), whole(normalized().values))),
    () => sumToChannels(c, c.grad()),
  ];
};
