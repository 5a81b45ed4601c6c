import type { Node, OnnxError, Tensor } from '@faultline/onnx';
import { normalAxes, type Value } from './dims.ts';
import type { Expressions } from './expressions.ts';

/** What a rule may ask about the node it differentiates. */
export interface RuleContext {
  readonly node: Node;
  /** Version of the standard operators that the node is written in. */
  readonly opset: number;
  /** Writes backward nodes. */
  readonly e: Expressions;
  /** Number of inputs, left-out optional ones included. */
  readonly inputCount: number;
  /** Whether input i is given. */
  has(i: number): boolean;
  /** Input i; throws where it is left out. */
  input(i: number): Value;
  /** Output i of the forward node, for rules that reuse it. */
  output(i?: number): Value;
  /** Gradient of output i, in its full shape; zeros where nothing depends on that output. */
  grad(i?: number): Value;
  /** Whether any gradient reaches output i. */
  hasGrad(i: number): boolean;
  /** Gradient of output 0, which may keep size 1 on axes where it is constant. */
  compactGrad(): Value;
  /**
   * Gradient of output 0, which may keep size 1 on axes where it is constant. For elementwise rules; in full shape
   * where an input that needs a gradient is itself broadcast, so that summing over the broadcast axes is right.
   */
  broadcastGrad(): Value;
  /** Whether the gradient of input i is wanted. */
  needs(i: number): boolean;
  /** The node that makes input i; undefined for inputs and initializers of the graph. */
  producer(i: number): Node | undefined;
  /** Elements of input i, where they are known before the graph runs. */
  constant(i: number): Tensor | undefined;
  /** Elements of input i, an integer tensor that must be constant: `what` names it in the error. */
  integers(i: number, what: string): number[];
  /** An error that names the node. */
  fail(reason: string): OnnxError;
}

/**
 * For each input, a function that writes its gradient, called only where that gradient is wanted. The result may be in
 * the broadcast shape of the node (the walker sums it down to the input's shape), or keep size 1 on axes along which it
 * is constant. `undefined` for inputs that have no gradient.
 */
export type Rule = (context: RuleContext) => readonly ((() => Value) | undefined)[];

/** Axes of a node that takes them as attribute (older opsets) or as input i; undefined where there are none. */
export function axesOf(c: RuleContext, i: number, rank: number): number[] | undefined {
  const attribute = c.node.attributes.axes;
  if (attribute?.type === 'ints') return normalAxes(attribute.value, rank);
  return c.has(i) ? normalAxes(c.integers(i, 'axes'), rank) : undefined;
}
