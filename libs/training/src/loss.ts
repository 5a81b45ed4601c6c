import type { VictimGraph } from '@faultline/fusion';
import { type Graph, GraphBuilder, joinGraphs, type ValueInfo } from '@faultline/onnx';

/** Weight of each single-branch loss beside the loss of the fused logits. */
const AUXILIARY_WEIGHT = 0.5;

/** Binary cross-entropy of `[batch, labels]` logits against targets in [0, 1], its mean over the labels, `[batch]`. */
export function clipCrossEntropy(g: GraphBuilder, logits: string, targets: string): string {
  // max(z, 0) - z t + log(1 + exp(-|z|)): no exponential overflows.
  const magnitude = g.op('Abs', [logits]);
  const softplus = g.op('Log', [g.plus(g.op('Exp', [g.negate(magnitude)]), g.scalar(1))]);
  const each = g.plus(g.minus(g.relu(logits), g.times(logits, targets)), softplus);
  return g.reduceMean(each, [1], false);
}

/** The mean of `clipCrossEntropy` over the batch, a scalar. */
export const binaryCrossEntropy = (g: GraphBuilder, logits: string, targets: string): string =>
  g.reduceMean(clipCrossEntropy(g, logits, targets), [0], false);

/** Targets of an auxiliary head are named for its logits. */
export const auxiliaryTargets = (logits: string): string => `${logits}.targets`;

/** The loss of the fused logits of each clip, `[batch]`: an inner value of a graph with a loss. */
export const CLIP_LOSS = 'loss/clips';

/**
 * The training graph with its loss: inputs `targets` and, for each branch head, its own targets (what is heard, or seen);
 * further output `loss`, inner value `CLIP_LOSS`.
 */
export function withLoss(victim: VictimGraph): Graph {
  const logits = victim.graph.outputs.find(({ name }) => name === 'logits');
  const labels = logits?.dims?.[1] ?? '';
  const g = new GraphBuilder({ prefix: 'loss/' });
  const dims = ['batch', labels];
  const each = clipCrossEntropy(g, g.input('logits', dims), g.input('targets', dims));
  const main = g.reduceMean(g.op('Identity', [each], {}, CLIP_LOSS), [0], false);
  const total = victim.auxiliaryLogits.reduce((sum, name) => {
    const branch = binaryCrossEntropy(g, g.input(name, dims), g.input(auxiliaryTargets(name), dims));
    return g.plus(sum, g.times(branch, g.scalar(AUXILIARY_WEIGHT)));
  }, main);
  g.output(total, [], 'float32', 'loss');
  const loss = g.graph('loss');
  return joinGraphs([victim.graph, loss], [...victim.graph.outputs, ...loss.outputs], `${victim.graph.name}-training`);
}

/** Adds a regulariser, a scalar that `write` makes of the graph's values, to the output `loss`. */
export function withPenalty(graph: Graph, name: string, weight: number, write: (g: GraphBuilder) => string): Graph {
  const before = `loss/before-${name}`;
  const rename = (value: string) => (value === 'loss' ? before : value);
  const g = new GraphBuilder({ prefix: `${name}/` });
  const scaled = g.op('Mul', [write(g), g.scalar(weight)], {}, `loss/${name}`);
  g.op('Add', [before, scaled], {}, 'loss');
  const { nodes, initializers } = g.graph();
  const scalar: ValueInfo = { name: `loss/${name}`, dataType: 'float32', dims: [] };
  return {
    ...graph,
    nodes: [
      ...graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) })),
      ...nodes,
    ],
    initializers: new Map([...graph.initializers, ...initializers]),
    outputs: [...graph.outputs, scalar],
  };
}
