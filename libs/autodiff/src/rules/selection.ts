import type { Rule } from '../rule.ts';

/** Kink: a value at a bound passes its gradient, one beyond does not. Bounds have no gradient. */
export const clip: Rule = (c) => [
  () => c.e.gate(c.e.compare('Equal', c.input(0), c.output()), c.broadcastGrad()),
  undefined,
  undefined,
];

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
