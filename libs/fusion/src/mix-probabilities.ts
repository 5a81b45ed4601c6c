import type { GraphBuilder } from '@faultline/onnx';

/**
 * Logit of `share x sigmoid(first) + (1 - share) x sigmoid(second)`, from logarithms: it stays finite, and so does its gradient,
 * where a sigmoid rounds to 0 or 1.
 */
export function mixProbabilities(g: GraphBuilder, first: string, second: string, share: number, as: string): string {
  const logOf = (a: string, b: string) => logSum(g, weighted(g, a, share), weighted(g, b, 1 - share));
  const shown = logOf(first, second);
  const notShown = logOf(g.negate(first), g.negate(second));
  return g.op('Sub', [shown, notShown], {}, as);
}

/** log(share x sigmoid(logits)). */
function weighted(g: GraphBuilder, logits: string, share: number): string {
  return g.minus(g.scalar(Math.log(share)), g.op('Softplus', [g.negate(logits)]));
}

/** log(exp(a) + exp(b)). */
function logSum(g: GraphBuilder, a: string, b: string): string {
  return g.plus(g.op('Max', [a, b]), g.op('Softplus', [g.negate(g.op('Abs', [g.minus(a, b)]))]));
}
