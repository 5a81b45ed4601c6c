import { int, intAttribute, ints, intsAttribute } from '@faultline/onnx';
import { range, type Value } from '../dims.ts';
import type { RuleContext } from '../rule.ts';
import { windowAttributes, windowOf } from '../rules/window.ts';
import type { Decomposition } from './decomposition.ts';

/** |x|^p; even powers need no absolute value, which has a kink. */
function powers({ e }: RuleContext, x: Value, p: number): Value {
  if (p === 1) return e.unary('Abs', x);
  if (p === 2) return e.multiply(x, x);
  return e.power(p % 2 === 0 ? x : e.unary('Abs', x), e.scalar(p, x.dataType));
}

function root({ e }: RuleContext, sum: Value, p: number): Value {
  if (p === 1) return sum;
  return p === 2 ? e.unary('Sqrt', sum) : e.power(sum, e.scalar(1 / p, sum.dataType));
}

/** The p-norm of each window: a mean of powers over windows, padding counted, times their size. */
export const lpPool: Decomposition = (c) => {
  const { e, node } = c;
  if (intAttribute(node, 'ceil_mode', 0) === 1) throw c.fail('rounded up, it has no rule');
  const [x, p] = [c.input(0), intAttribute(node, 'p', 2)];
  const kernel = intsAttribute(node, 'kernel_shape') ?? [];
  const mean = e.node('AveragePool', [powers(c, x, p)], c.output().dims, {
    kernel_shape: ints(kernel),
    count_include_pad: int(1),
    ...windowAttributes(windowOf(c, kernel)),
  });
  const sum = e.scale(
    mean,
    kernel.reduce((product, size) => product * size, 1),
  );
  return [root(c, sum, p)];
};

/** The p-norm over all spatial axes. */
export const globalLpPool: Decomposition = (c) => {
  const [x, p] = [c.input(0), intAttribute(c.node, 'p', 2)];
  return [root(c, c.e.reduceSum(powers(c, x, p), range(2, x.dims.length)), p)];
};

/** Added to the deviation by the operator's definition. */
const DEVIATION_EPSILON = 1e-9;

/** (x - mean) / deviation over axes, as the operator's own definition writes it. */
export const meanVarianceNormalization: Decomposition = (c) => {
  const { e } = c;
  const x = c.input(0);
  const axes = intsAttribute(c.node, 'axes') ?? [0, 2, 3];
  const share = e.inverseCount(x, axes);
  const mean = (value: Value) => e.multiply(e.reduceSum(value, axes), share);
  const centre = mean(x);
  const variance = e.subtract(mean(e.multiply(x, x)), e.multiply(centre, centre));
  const deviation = e.add(e.unary('Sqrt', variance), e.scalar(DEVIATION_EPSILON, x.dataType));
  return [e.divide(e.subtract(x, centre), deviation)];
};
