import { floatAttribute, intAttribute, string, stringAttribute } from '@faultline/onnx';
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

/** The terms of an equation with every axis named: ellipses become upper-case letters, a missing output is made. */
function termsOf(c: RuleContext): { terms: string[]; result: string } {
  const equation = stringAttribute(c.node, 'equation', '').replaceAll(' ', '');
  const [left = '', given] = equation.split('->');
  const written = left.split(',');
  const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'].filter((letter) => !equation.includes(letter));
  const hidden = written.map((term, i) =>
    term.includes('...') ? c.input(i).dims.length - (term.length - '...'.length) : 0,
  );
  const most = Math.max(...hidden);
  // The axes behind an ellipsis are aligned at their ends, as broadcasting has them.
  const named = (term: string, count: number) => term.replace('...', letters.slice(most - count, most).join(''));
  const terms = written.map((term, i) => named(term, hidden[i] ?? 0));
  const all = written.join('').replaceAll('.', '');
  const once = [...new Set(all)].filter((axis) => all.indexOf(axis) === all.lastIndexOf(axis)).sort();
  const result = given === undefined ? letters.slice(0, most).join('') + once.join('') : named(given, most);
  if ([...terms, result].some((term) => new Set(term).size !== term.length || term.includes('.'))) {
    throw c.fail(`equation '${equation}' has no rule: no term may name an axis twice`);
  }
  return { terms, result };
}

/**
 * Sum of products over named axes: the gradient of an operand is the product of the output's gradient with the other
 * operands, summed onto the operand's axes. An axis that only this operand has is one along which its gradient is constant.
 */
export const einsum: Rule = (c) => {
  const { terms, result } = termsOf(c);
  return terms.map((term, i) => () => {
    const others = terms.flatMap((other, j) => (j === i ? [] : [{ term: other, value: c.input(j) }]));
    const factors = [{ term: result, value: c.grad() }, ...others];
    const known = [...term].filter((axis) => factors.some((factor) => factor.term.includes(axis)));
    const x = c.input(i);
    // An operand of size 1 behind an ellipsis is broadcast; the walker sums its gradient.
    const sizeOf = (axis: string) => {
      const sizes = [{ term, value: x }, ...factors].flatMap((factor) =>
        factor.term.includes(axis) ? [factor.value.dims[factor.term.indexOf(axis)] ?? 1] : [],
      );
      return sizes.find((size) => size !== 1) ?? 1;
    };
    const made = c.e.node(
      'Einsum',
      factors.map(({ value }) => value),
      known.map(sizeOf),
      { equation: string(`${factors.map((factor) => factor.term).join(',')}->${known.join('')}`) },
    );
    const lone = [...term].flatMap((axis, at) => (known.includes(axis) ? [] : [at]));
    return lone.length === 0 ? made : c.e.unsqueeze(made, lone);
  });
};
