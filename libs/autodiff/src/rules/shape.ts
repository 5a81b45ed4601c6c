import { intAttribute, intsAttribute, isBatchAxis } from '@faultline/onnx';
import { normalAxes, range } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** Reshape, Flatten, Squeeze, Unsqueeze: the gradient takes the input's shape back. */
export const reshape: Rule = (c) => [
  () => {
    const x = c.input(0);
    const compact = c.compactGrad();
    // One number for all elements stays one number.
    if (compact.dims.every((size) => size === 1)) {
      return c.e.reshape(
        compact,
        x.dims.map(() => 1),
      );
    }
    return c.e.reshape(c.grad(), x.dims, x);
  },
];

/** The walker sums over the expanded axes. */
export const expand: Rule = (c) => [() => c.grad()];

export const transpose: Rule = (c) => [
  () => {
    const rank = c.input(0).dims.length;
    const perm = intsAttribute(c.node, 'perm') ?? range(0, rank).reverse();
    return c.e.transpose(
      c.compactGrad(),
      range(0, rank).map((axis) => perm.indexOf(axis)),
    );
  },
];

const axisOf = (c: RuleContext, fallback: number) => {
  const [axis = 0] = normalAxes([intAttribute(c.node, 'axis', fallback)], c.input(0).dims.length);
  return axis;
};

export const concat: Rule = (c) => {
  const axis = axisOf(c, 0);
  const sizeOf = (i: number) => c.input(i).dims[axis] ?? 1;
  return range(0, c.inputCount).map((i) => () => {
    const size = sizeOf(i);
    if (!range(0, i + 1).some((at) => isBatchAxis(sizeOf(at)))) {
      const start = range(0, i).reduce((total, before) => total + Number(sizeOf(before)), 0);
      return c.e.slice(c.grad(), [{ axis, start, count: Number(size) }]);
    }
    const start = range(0, i).reduce(
      (total, before) => c.e.add(total, c.e.sizeAlong(c.input(before), axis)),
      c.e.integers([0]),
    );
    return c.e.between(c.grad(), axis, { start, end: c.e.add(start, c.e.sizeAlong(c.input(i), axis)), size });
  });
};

export const split: Rule = (c) => [
  () => {
    const axis = axisOf(c, 0);
    return c.e.concat(
      c.node.outputs.map((_, i) => c.grad(i)),
      axis,
    );
  },
];
