import type { Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** A function of one value: its gradient over the given expression. */
const over =
  (divisor: (c: RuleContext) => Value): Rule =>
  (c) => [() => c.e.divide(c.broadcastGrad(), divisor(c))];

const times =
  (slope: (c: RuleContext) => Value): Rule =>
  (c) => [() => c.e.multiply(c.broadcastGrad(), slope(c))];

const one = (c: RuleContext) => c.e.scalar(1, c.input(0).dataType);
const square = (c: RuleContext, value: Value) => c.e.multiply(value, value);
const root = (c: RuleContext, value: Value) => c.e.unary('Sqrt', value);

/** 1 + tan^2 */
export const tangent = times((c) => c.e.add(one(c), square(c, c.output())));
export const arcSine = over((c) => root(c, c.e.subtract(one(c), square(c, c.input(0)))));
export const arcCosine: Rule = (c) => [
  () => c.e.negate(c.e.divide(c.broadcastGrad(), root(c, c.e.subtract(one(c), square(c, c.input(0)))))),
];
export const arcTangent = over((c) => c.e.add(one(c), square(c, c.input(0))));
export const hyperbolicSine = times((c) => c.e.unary('Cosh', c.input(0)));
export const hyperbolicCosine = times((c) => c.e.unary('Sinh', c.input(0)));
export const inverseHyperbolicSine = over((c) => root(c, c.e.add(square(c, c.input(0)), one(c))));
export const inverseHyperbolicCosine = over((c) => root(c, c.e.subtract(square(c, c.input(0)), one(c))));
export const inverseHyperbolicTangent = over((c) => c.e.subtract(one(c), square(c, c.input(0))));
