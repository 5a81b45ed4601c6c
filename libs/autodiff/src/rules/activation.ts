import { floatAttribute, stringAttribute } from '@faultline/onnx';
import type { Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** A function of one value whose slope the given expression writes. */
const sloped =
  (slope: (c: RuleContext) => Value): Rule =>
  (c) => [() => c.e.multiply(c.broadcastGrad(), slope(c))];

const constant = (c: RuleContext, value: number) => c.e.scalar(value, c.input(0).dataType);
const isPositive = (c: RuleContext, value: Value) => c.e.compare('Greater', value, constant(c, 0));

/** Kink: 0 at 0. Reads the output, so that the runtime may fuse the forward Relu with what comes before it. */
export const relu: Rule = (c) => [() => c.e.multiply(c.broadcastGrad(), c.e.step(c.output()))];

/** y (1 - y) */
export const sigmoid = sloped((c) => c.e.multiply(c.output(), c.e.subtract(constant(c, 1), c.output())));

/** 1 - y^2 */
export const tanh = sloped((c) => c.e.subtract(constant(c, 1), c.e.multiply(c.output(), c.output())));

export const softplus = sloped((c) => c.e.unary('Sigmoid', c.input(0)));

/** 1 / (1 + |x|)^2 */
export const softsign = sloped((c) => {
  const size = c.e.add(constant(c, 1), c.e.unary('Abs', c.input(0)));
  return c.e.divide(constant(c, 1), c.e.multiply(size, size));
});

/** The output, where it has the sign of the input: the runtime may then fuse the activation with what comes before it. */
const sameSign = (c: RuleContext, below: number): Value => (below > 0 ? c.output() : c.input(0));

/** Kink: slope alpha at 0. */
export const leakyRelu = sloped((c) => {
  const alpha = floatAttribute(c.node, 'alpha', 0.01);
  return c.e.where(isPositive(c, sameSign(c, alpha)), constant(c, 1), constant(c, alpha));
});

/** alpha (e^x - 1) below 0: slope y + alpha. Kink: that of the lower side at 0. */
export const elu = sloped((c) => {
  const alpha = floatAttribute(c.node, 'alpha', 1);
  const below = c.e.add(c.output(), constant(c, alpha));
  return c.e.where(isPositive(c, sameSign(c, alpha)), constant(c, 1), below);
});

/** Constants of Selu (Klambauer et al. 2017), as the operator's defaults have them. */
const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;

/** gamma x above 0, gamma alpha (e^x - 1) below: slope y + gamma alpha. Kink: that of the lower side at 0. */
export const selu = sloped((c) => {
  const gamma = floatAttribute(c.node, 'gamma', SELU_GAMMA);
  const scale = gamma * floatAttribute(c.node, 'alpha', SELU_ALPHA);
  const below = c.e.add(c.output(), constant(c, scale));
  return c.e.where(isPositive(c, sameSign(c, Math.min(gamma, scale))), constant(c, gamma), below);
});

/** Slope per channel below 0. Kink: the lower side's slope at 0. */
export const pRelu: Rule = (c) => {
  const positive = () => isPositive(c, c.input(0));
  return [
    () => c.e.multiply(c.broadcastGrad(), c.e.where(positive(), constant(c, 1), c.input(1))),
    () => c.e.where(positive(), constant(c, 0), c.e.multiply(c.grad(), c.input(0))),
  ];
};

/** Whether lower < value < upper, as 0 and 1. */
function inside(c: RuleContext, value: Value, lower: number, upper: number): Value {
  const above = c.e.compare('Greater', value, constant(c, lower));
  const below = c.e.compare('Less', value, constant(c, upper));
  return c.e.cast(c.e.node('And', [above, below], above.dims), value.dataType);
}

/** clip(alpha x + beta, 0, 1). Kink: 0 where it is clipped, the bounds included. */
export const hardSigmoid = sloped((c) => c.e.scale(inside(c, c.output(), 0, 1), floatAttribute(c.node, 'alpha', 0.2)));

/** x h(x) with h = clip(x / 6 + 1/2, 0, 1): slope h + x h'. Kink: h' = 0 at -3 and 3. */
export const hardSwish = sloped((c) => {
  const x = c.input(0);
  const h = c.e.node('HardSigmoid', [x], x.dims, {
    alpha: { type: 'float', value: 1 / 6 },
    beta: { type: 'float', value: 0.5 },
  });
  return c.e.add(h, c.e.scale(c.e.multiply(x, inside(c, h, 0, 1)), 1 / 6));
});

/** x tanh(softplus x): slope t + x (1 - t^2) sigmoid x, with t = tanh(softplus x). */
export const mish = sloped((c) => {
  const x = c.input(0);
  const t = c.e.unary('Tanh', c.e.unary('Softplus', x));
  const steep = c.e.subtract(constant(c, 1), c.e.multiply(t, t));
  return c.e.add(t, c.e.multiply(x, c.e.multiply(steep, c.e.unary('Sigmoid', x))));
});

/** e^(-x^2 / width) */
function bell(c: RuleContext, width: number): Value {
  const x = c.input(0);
  return c.e.unary('Exp', c.e.scale(c.e.multiply(x, x), -1 / width));
}

/** 2 / sqrt(pi) e^(-x^2) */
export const erf = sloped((c) => c.e.scale(bell(c, 1), 2 / Math.sqrt(Math.PI)));

/** Gelu's approximation (Hendrycks and Gimpel 2016): x / 2 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3). */
const GELU_CUBIC = 0.044715;
const GELU_SCALE = Math.sqrt(2 / Math.PI);

function tanhGeluSlope(c: RuleContext): Value {
  const { e } = c;
  const x = c.input(0);
  const square = e.multiply(x, x);
  const u = e.multiply(x, e.add(constant(c, GELU_SCALE), e.scale(square, GELU_SCALE * GELU_CUBIC)));
  const t = e.unary('Tanh', u);
  const steep = e.subtract(constant(c, 1), e.multiply(t, t));
  const inner = e.add(constant(c, GELU_SCALE), e.scale(square, 3 * GELU_SCALE * GELU_CUBIC));
  const curve = e.multiply(e.multiply(x, steep), inner);
  return e.scale(e.add(e.add(constant(c, 1), t), curve), 0.5);
}

/** x P(x), P the normal distribution: slope P + x p. */
function exactGeluSlope(c: RuleContext): Value {
  const { e } = c;
  const x = c.input(0);
  const doubled = e.add(constant(c, 1), e.unary('Erf', e.scale(x, Math.SQRT1_2)));
  const density = e.scale(bell(c, 2), 1 / Math.sqrt(2 * Math.PI));
  return e.add(e.scale(doubled, 0.5), e.multiply(x, density));
}

export const gelu = sloped((c) =>
  stringAttribute(c.node, 'approximate', 'none') === 'tanh' ? tanhGeluSlope(c) : exactGeluSlope(c),
);

/** max(0, x) + min(0, alpha (e^(x / alpha) - 1)): slope e^(x / alpha) below 0. Kink: that of the lower side at 0, 1. */
export const celu = sloped((c) => {
  const x = c.input(0);
  const below = c.e.unary('Exp', c.e.scale(x, 1 / floatAttribute(c.node, 'alpha', 1)));
  return c.e.where(isPositive(c, x), constant(c, 1), below);
});

/** x above alpha, else 0. */
export const thresholdedRelu: Rule = (c) => [
  () =>
    c.e.gate(c.e.compare('Greater', c.input(0), constant(c, floatAttribute(c.node, 'alpha', 1))), c.broadcastGrad()),
];

/** x moved towards 0 by `bias` beyond `lambd`, else 0: slope 1 where |x| > lambd. */
export const shrink: Rule = (c) => [
  () =>
    c.e.gate(
      c.e.compare('Greater', c.e.unary('Abs', c.input(0)), constant(c, floatAttribute(c.node, 'lambd', 0.5))),
      c.broadcastGrad(),
    ),
];
