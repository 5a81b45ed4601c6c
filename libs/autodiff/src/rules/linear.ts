import { floatAttribute, intAttribute } from '@faultline/onnx';
import type { Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** The operands of a MatMul as matrices: a vector on the left is a row, on the right a column. */
function matrices(c: RuleContext) {
  const [a, b, g] = [c.input(0), c.input(1), c.grad()];
  const row = a.dims.length === 1;
  const column = b.dims.length === 1;
  const left = row ? c.e.reshape(a, [1, ...a.dims]) : a;
  const right = column ? c.e.reshape(b, [...b.dims, 1]) : b;
  const batch = row || column ? (row ? b : a).dims.slice(0, -2) : g.dims.slice(0, -2);
  const result = [...batch, left.dims.at(-2) ?? 1, right.dims.at(-1) ?? 1];
  return { left, right, g: row || column ? c.e.reshape(g, result, undefined) : g };
}

/** All axes but the last as one. */
const flat = (c: RuleContext, value: Value): Value => c.e.merge(value, 0, value.dims.length - 1);

/** A B: the left operand's gradient is G B^T, the right one's A^T G; the walker sums over broadcast batch axes. */
export const matmul: Rule = (c) => [
  () => {
    const { right, g } = matrices(c);
    const made = c.e.matmul(g, c.e.transposeLast(right));
    return c.input(0).dims.length === 1 ? c.e.reshape(made, [...made.dims.slice(0, -2), ...made.dims.slice(-1)]) : made;
  },
  () => {
    const { left, right, g } = matrices(c);
    // Weights shared by a whole batch: one flat product, summed over the batch as it goes.
    if (right.dims.length === 2) {
      const made = c.e.gemm(flat(c, left), flat(c, g), true, false);
      return c.e.reshape(made, c.input(1).dims);
    }
    return c.e.matmul(c.e.transposeLast(left), g);
  },
];

/** alpha op(A) op(B) + beta C */
export const gemm: Rule = (c) => {
  const transA = intAttribute(c.node, 'transA', 0) === 1;
  const transB = intAttribute(c.node, 'transB', 0) === 1;
  const alpha = floatAttribute(c.node, 'alpha', 1);
  return [
    () => {
      const [b, g] = [c.input(1), c.grad()];
      return c.e.scale(transA ? c.e.gemm(b, g, transB, true) : c.e.gemm(g, b, false, !transB), alpha);
    },
    () => {
      const [a, g] = [c.input(0), c.grad()];
      return c.e.scale(transB ? c.e.gemm(g, a, true, transA) : c.e.gemm(a, g, !transA, false), alpha);
    },
    () => c.e.scale(c.grad(), floatAttribute(c.node, 'beta', 1)),
  ];
};
