import type { Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** y = a + b, and the like: +1 or -1 times the gradient. */
export const add: Rule = (c) => [() => c.broadcastGrad(), () => c.broadcastGrad()];
export const subtract: Rule = (c) => [() => c.broadcastGrad(), () => c.e.negate(c.broadcastGrad())];

export const multiply: Rule = (c) => [
  () => c.e.multiply(c.broadcastGrad(), c.input(1)),
  () => c.e.multiply(c.broadcastGrad(), c.input(0)),
];

/** d(a/b)/db = -y / b. */
export const divide: Rule = (c) => [
  () => c.e.divide(c.broadcastGrad(), c.input(1)),
  () => c.e.negate(c.e.multiply(c.broadcastGrad(), c.e.divide(c.output(), c.input(1)))),
];

/** Sum of any number of inputs. */
export const variadicSum: Rule = (c) => Array.from({ length: c.inputCount }, () => () => c.broadcastGrad());

export const variadicMean: Rule = (c) =>
  Array.from({ length: c.inputCount }, () => () => c.e.scale(c.broadcastGrad(), 1 / c.inputCount));

export const negate: Rule = (c) => [() => c.e.negate(c.broadcastGrad())];
export const identity: Rule = (c) => [() => c.broadcastGrad()];

/** Kink: 0 at 0. */
export const abs: Rule = (c) => [() => c.e.multiply(c.broadcastGrad(), c.e.unary('Sign', c.input(0)))];

export const exp: Rule = (c) => [() => c.e.multiply(c.broadcastGrad(), c.output())];
export const sine: Rule = (c) => [() => c.e.multiply(c.broadcastGrad(), c.e.unary('Cos', c.input(0)))];
export const cosine: Rule = (c) => [() => c.e.negate(c.e.multiply(c.broadcastGrad(), c.e.unary('Sin', c.input(0))))];
export const log: Rule = (c) => [() => c.e.divide(c.broadcastGrad(), c.input(0))];

/** g / (2 y). At 0, where the slope is infinite, 0: digital silence must not turn a gradient into not-a-number. */
function halfOver(c: RuleContext): Value {
  const y = c.output();
  const slope = c.e.divide(c.e.scalar(0.5, y.dataType), y);
  const finite = c.e.mask(c.e.compare('Greater', y, c.e.scalar(0, y.dataType)), slope);
  return c.e.multiply(c.broadcastGrad(), finite);
}

/** Kink: 0 at 0. */
export const sqrt: Rule = (c) => [() => halfOver(c)];

/** y' = -y^2 */
export const reciprocal: Rule = (c) => [
  () => c.e.negate(c.e.multiply(c.broadcastGrad(), c.e.multiply(c.output(), c.output()))),
];

export const cast: Rule = (c) => [() => c.e.cast(c.broadcastGrad(), c.input(0).dataType)];

/** x^p: p x^(p-1) for x, y log x for p (0 where x <= 0). Exponent 0.5 is Sqrt, its kink included. */
export const power: Rule = (c) => {
  const exponent = () => {
    const constant = c.constant(1);
    if (constant === undefined || constant.data.length !== 1) return undefined;
    return Number(constant.data[0]);
  };
  return [
    () => {
      const [g, x] = [c.broadcastGrad(), c.input(0)];
      const p = exponent();
      if (p === 1) return g;
      if (p === 2) return c.e.multiply(g, c.e.scale(x, 2));
      if (p === 0.5) return halfOver(c);
      if (p !== undefined) {
        return c.e.multiply(g, c.e.scale(c.e.power(x, c.e.scalar(p - 1, x.dataType)), p));
      }
      const power = c.e.cast(c.input(1), x.dataType);
      const reduced = c.e.subtract(power, c.e.scalar(1, x.dataType));
      return c.e.multiply(g, c.e.multiply(power, c.e.power(x, reduced)));
    },
    () => {
      const [x, p] = [c.input(0), c.input(1)];
      const positive = c.e.compare('Greater', x, c.e.scalar(0, x.dataType));
      const logarithm = c.e.mask(positive, c.e.unary('Log', x));
      return c.e.cast(c.e.multiply(c.grad(), c.e.multiply(c.output(), logarithm)), p.dataType);
    },
  ];
};

/** Inference form: the identity. */
export const dropout: Rule = (c) => {
  const training = c.constant(2);
  if (c.has(2) && (training === undefined || Number(training.data[0]) !== 0)) {
    throw c.fail('training mode has no rule; export the model for inference (training_mode = false)');
  }
  return [() => c.broadcastGrad()];
};
