import { type Graph, intAttribute, type Node, producers } from '@faultline/onnx';

/** What stands between logits and a model's output. */
export type Activation = 'sigmoid' | 'softmax' | 'log-softmax';

/** A value that holds logits, and how the output is made of it. */
export interface FoundHead {
  readonly activation: Activation | undefined;
  /** The logits, when the activation was found; else the output itself. */
  readonly value: string;
  /** Axis that a softmax runs along, as written in the graph. */
  readonly axis: number | undefined;
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  Sigmoid: 'sigmoid',
  Softmax: 'softmax',
  LogSoftmax: 'log-softmax',
};

/** Operators that rearrange values without changing them. */
const REARRANGES = new Set(['Identity', 'Cast', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);

/**
 * Looks for the activation that makes a graph's output: through what only rearranges, a sigmoid or softmax. Rearranged logits are found
 * where they have the output's own arrangement.
 */
export function findHead(graph: Graph, output: string): FoundHead {
  const made = producers(graph);
  let node: Node | undefined = made.get(output);
  while (node !== undefined && node.domain === '' && REARRANGES.has(node.op)) node = made.get(node.inputs[0] ?? '');
  const activation = node?.domain === '' ? ACTIVATIONS[node.op] : undefined;
  const value = node?.inputs[0];
  if (node === undefined || activation === undefined || value === undefined)
    return { activation: undefined, value: output, axis: undefined };
  return { activation, value, axis: activation === 'sigmoid' ? undefined : intAttribute(node, 'axis', -1) };
}
