import type { Rule } from '../rule.ts';

/**
 * min(max(x, low), high). Kink: a value at a bound passes its gradient to x; one beyond passes it to the bound. Bounds that
 * cross leave the upper one.
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
    () => e.gate(e.compare('Equal', x(), c.output()), c.broadcastGrad()),
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
