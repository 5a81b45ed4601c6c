import type { Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** Operators that the runtime fuses with a Clip behind them, as in networks with Relu6. */
const FUSED_WITH_CLIP: ReadonlySet<string> = new Set(['BatchNormalization', 'Conv', 'Gemm']);

/** The number of a bound; `open` where there is none, undefined where it is known at run time only. */
function boundOf(c: RuleContext, i: number, open: number): number | undefined {
  if (!c.has(i)) return open;
  const constant = c.constant(i);
  return constant?.data.length === 1 ? Number(constant.data[0]) : undefined;
}

/** The gradient of an activation's input, read off its output; undefined where Clip is none, or its bounds are not known. */
function throughActivation(c: RuleContext): Value | undefined {
  const [low, high] = [boundOf(c, 1, Number.NEGATIVE_INFINITY), boundOf(c, 2, Number.POSITIVE_INFINITY)];
  if (low === undefined || high === undefined || low >= high || !FUSED_WITH_CLIP.has(c.producer(0)?.op ?? '')) return;
  const [y, g] = [c.output(), c.broadcastGrad()];
  const bound = (value: number) => c.e.scalar(value, y.dataType);
  if (high === Number.POSITIVE_INFINITY)
    return low === Number.NEGATIVE_INFINITY ? g : c.e.multiply(g, c.e.step(y, low));
  const below = c.e.compare('Less', y, bound(high));
  if (low === Number.NEGATIVE_INFINITY) return c.e.gate(below, g);
  // Two steps and two products would move more memory than comparisons do, whose results take a byte each.
  return c.e.gate(c.e.node('And', [c.e.compare('Greater', y, bound(low)), below], y.dims), g);
}

/**
 * min(max(x, low), high). Kink: a value at a bound passes its gradient to x; one beyond passes it to the bound. Bounds that
 * cross leave the upper one. Behind a layer of weights Clip is an activation, fused with it and read off its output: there
 * a value at a bound has slope 0, as Relu has at 0.
 */
export const clip: Rule = (c) => {
  const { e } = c;
  const x = () => c.input(0);
  const raised = () => (c.has(1) ? e.node('Max', [x(), c.input(1)], x().dims) : x());
  const above = () => e.compare('Greater', raised(), c.input(2));
  const below = () => {
    const under = e.compare('Less', x(), c.input(1));
    return c.has(2) ? e.node('And', [under, e.node('Not', [above()], under.dims)], under.dims) : under;
  };
  return [
    () => throughActivation(c) ?? e.gate(e.compare('Equal', x(), c.output()), c.broadcastGrad()),
    () => e.gate(below(), c.grad()),
    () => e.gate(above(), c.grad()),
  ];
};

/** Max and Min of any number of inputs. Kink: inputs that tie share the gradient equally. */
export const extremum: Rule = (c) => {
  const chosen = (i: number) => c.e.compare('Equal', c.input(i), c.output());
  return Array.from({ length: c.inputCount }, (_, i) => () => {
    const { dataType } = c.output();
    if (c.inputCount === 1) return c.broadcastGrad();
    const ties = c.e.sum(Array.from({ length: c.inputCount }, (_, j) => c.e.cast(chosen(j), dataType)));
    return c.e.gate(chosen(i), c.e.divide(c.grad(), ties));
  });
};

export const where: Rule = (c) => {
  const zero = () => c.e.scalar(0, c.output().dataType);
  return [
    undefined,
    () => c.e.where(c.input(0), c.broadcastGrad(), zero()),
    () => c.e.where(c.input(0), zero(), c.broadcastGrad()),
  ];
};
