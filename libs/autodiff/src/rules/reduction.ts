import { int, intAttribute, isBatchAxis } from '@faultline/onnx';
import { normalAxes, range, type Value } from '../dims.ts';
import { axesOf, type Rule, type RuleContext } from '../rule.ts';

/** Axes that a reduction sums over. */
function reducedAxes(c: RuleContext): number[] {
  const rank = c.input(0).dims.length;
  const axes = axesOf(c, 1, rank);
  if (axes !== undefined && axes.length > 0) return axes;
  return intAttribute(c.node, 'noop_with_empty_axes', 0) === 1 ? [] : range(0, rank);
}

/** A value of the reduced shape (or with size 1 where it is constant), with the reduced axes put back at size 1. */
function unreduced(c: RuleContext, value: Value): Value {
  const { length } = c.input(0).dims;
  return value.dims.length === length ? value : c.e.unsqueeze(value, reducedAxes(c));
}

/** 1 / number of elements reduced. */
function meanFactor(c: RuleContext): Value {
  const x = c.input(0);
  const sizes = reducedAxes(c).map((axis) => x.dims[axis] ?? 1);
  if (!sizes.some(isBatchAxis)) {
    const count = sizes.reduce<number>((total, size) => total * Number(size), 1);
    return c.e.scalar(1 / count, x.dataType);
  }
  const size = (value: Value) => c.e.cast(c.e.node('Size', [value], [], {}, 'int64'), x.dataType);
  return c.e.divide(size(c.output()), size(x));
}

export const reduceSum: Rule = (c) => [() => unreduced(c, c.compactGrad())];
export const reduceMean: Rule = (c) => [() => unreduced(c, c.e.multiply(c.compactGrad(), meanFactor(c)))];

/** ReduceMax and ReduceMin. Kink: elements that tie share the gradient equally. */
export const reduceExtremum: Rule = (c) => [
  () => {
    const x = c.input(0);
    const chosen = c.e.compare('Equal', x, unreduced(c, c.output()));
    const ties = c.e.reduceSum(c.e.cast(chosen, x.dataType), reducedAxes(c));
    return c.e.gate(chosen, c.e.divide(unreduced(c, c.compactGrad()), ties));
  },
];

/** y = sqrt(sum x^2): x / y. Kink: 0 where y is 0. */
export const reduceL2: Rule = (c) => [
  () => {
    const y = c.output();
    const ratio = c.e.mask(c.e.compare('Greater', y, c.e.scalar(0, y.dataType)), c.e.divide(c.compactGrad(), y));
    return c.e.multiply(c.input(0), unreduced(c, ratio));
  },
];

/** y = sum |x|. Kink: 0 at 0. */
export const reduceL1: Rule = (c) => [() => c.e.multiply(c.e.unary('Sign', c.input(0)), unreduced(c, c.compactGrad()))];

export const reduceSumSquare: Rule = (c) => [
  () => c.e.multiply(c.input(0), c.e.scale(unreduced(c, c.compactGrad()), 2)),
];

/** y = log sum exp x: softmax. */
export const reduceLogSumExp: Rule = (c) => [
  () =>
    c.e.multiply(unreduced(c, c.compactGrad()), c.e.unary('Exp', c.e.subtract(c.input(0), unreduced(c, c.output())))),
];

/** y = log sum x: 1 / sum x = e^-y. */
export const reduceLogSum: Rule = (c) => [
  () => unreduced(c, c.e.multiply(c.compactGrad(), c.e.unary('Exp', c.e.negate(c.output())))),
];

/**
 * Each element's slope is the product of the others: y / x where no element of its group is 0, the product of the others
 * at an only 0, and 0 elsewhere.
 */
export const reduceProduct: Rule = (c) => [
  () => {
    const { e } = c;
    const x = c.input(0);
    const axes = reducedAxes(c);
    const zero = e.scalar(0, x.dataType);
    const one = e.scalar(1, x.dataType);
    const vanishing = e.compare('Equal', x, zero);
    const filled = e.where(vanishing, one, x);
    const reduced = x.dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
    const others =
      axes.length === 0 ? filled : e.node('ReduceProd', [filled, e.integers(axes)], reduced, { keepdims: int(1) });
    const zeros = e.reduceSum(e.cast(vanishing, x.dataType), axes);
    const atZero = e.where(e.compare('Equal', zeros, one), others, zero);
    const elsewhere = e.where(e.compare('Equal', zeros, zero), e.divide(others, filled), zero);
    return e.multiply(unreduced(c, c.compactGrad()), e.where(vanishing, atZero, elsewhere));
  },
];

/** Mean over all spatial axes. */
export const globalAveragePool: Rule = (c) => [
  () => {
    const x = c.input(0);
    return c.e.multiply(c.compactGrad(), c.e.inverseCount(x, range(2, x.dims.length)));
  },
];

/** Maximum over all spatial axes. Kink: elements that tie share the gradient equally. */
export const globalMaxPool: Rule = (c) => [
  () => {
    const x = c.input(0);
    const chosen = c.e.compare('Equal', x, c.output());
    const ties = c.e.reduceSum(c.e.cast(chosen, x.dataType), range(2, x.dims.length));
    return c.e.gate(chosen, c.e.divide(c.compactGrad(), ties));
  },
];

const softmaxAxis = (c: RuleContext) => normalAxes([intAttribute(c.node, 'axis', -1)], c.input(0).dims.length);

/** y (g - sum(g y)) */
export const softmax: Rule = (c) => [
  () => {
    const [g, y] = [c.compactGrad(), c.output()];
    const mean = c.e.reduceSum(c.e.multiply(g, y), softmaxAxis(c));
    return c.e.multiply(y, c.e.subtract(g, mean));
  },
];

/** g - softmax(x) sum(g) */
export const logSoftmax: Rule = (c) => [
  () => {
    const [g, y] = [c.grad(), c.output()];
    return c.e.subtract(g, c.e.multiply(c.e.unary('Exp', y), c.e.reduceSum(g, softmaxAxis(c))));
  },
];
