import { type DataType, float32, string, stringAttribute } from '@faultline/onnx';
import { fixedSize, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** An equation with every axis named. */
interface Equation {
  readonly terms: readonly string[];
  readonly result: string;
  /** Pairs of axes that were one name in a term, which stand for its diagonal. */
  readonly diagonals: readonly { readonly pair: string; readonly size: number }[];
}

/** Ellipses become upper-case letters, a missing output is made, an axis that a term names twice becomes two. */
function equationOf(c: RuleContext): Equation {
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
  const all = written.join('').replaceAll('.', '');
  const once = [...new Set(all)].filter((axis) => all.indexOf(axis) === all.lastIndexOf(axis)).sort();
  const result = given === undefined ? letters.slice(0, most).join('') + once.join('') : named(given, most);
  const spare = [...'abcdefghijklmnopqrstuvwxyz', ...letters.slice(most)].filter(
    (letter) => !equation.includes(letter),
  );
  const diagonals: { pair: string; size: number }[] = [];
  const terms = written.map((term, i) => {
    const axes = [...named(term, hidden[i] ?? 0)];
    for (const [at, axis] of axes.entries()) {
      if (axes.indexOf(axis) === at) continue;
      const other = spare.shift();
      if (other === undefined) throw c.fail(`equation '${equation}' has no rule: it has too many axes`);
      diagonals.push({ pair: axis + other, size: fixedSize(c.input(i).dims, at, 'diagonal of Einsum') });
      axes[at] = other;
    }
    return axes.join('');
  });
  if (new Set(result).size !== result.length || [...terms, result].some((term) => term.includes('.'))) {
    throw c.fail(`equation '${equation}' has no rule`);
  }
  return { terms, result, diagonals };
}

/** Ones on the diagonal. */
const identity = ({ e }: RuleContext, size: number, dataType: DataType): Value =>
  e.cast(
    e.shared(`identity ${size}`, () => {
      const ones = new Float32Array(size * size);
      for (let at = 0; at < size; at++) ones[at * size + at] = 1;
      return float32(ones, [size, size]);
    }),
    dataType,
  );

/**
 * Sum of products over named axes: the gradient of an operand is the product of the output's gradient with the other
 * operands, summed onto the operand's axes. An axis that only this operand has is one along which its gradient is constant.
 */
export const einsum: Rule = (c) => {
  const { terms, result, diagonals } = equationOf(c);
  return terms.map((term, i) => () => {
    const others = terms.flatMap((other, j) => (j === i ? [] : [{ term: other, value: c.input(j) }]));
    const g = c.grad();
    const ties = diagonals.map(({ pair, size }) => ({ term: pair, value: identity(c, size, g.dataType) }));
    const factors = [{ term: result, value: g }, ...others, ...ties];
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
