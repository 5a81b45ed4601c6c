import type { VictimGraph } from '@faultline/fusion';
import { type Graph, GraphBuilder, joinGraphs } from '@faultline/onnx';

/** Weight of each single-branch loss beside the loss of the fused logits. */
const AUXILIARY_WEIGHT = 0.5;

/**
 * Binary cross-entropy of `[batch, labels]` logits against 0/1 targets, its mean over both axes, a scalar.
 * max(z, 0) - z t + log(1 + exp(-|z|)): no exponential overflows.
 */
export function binaryCrossEntropy(g: GraphBuilder, logits: string, targets: string): string {
  const magnitude = g.op('Abs', [logits]);
  const softplus = g.op('Log', [g.plus(g.op('Exp', [g.negate(magnitude)]), g.scalar(1))]);
  const each = g.plus(g.minus(g.relu(logits), g.times(logits, targets)), softplus);
  return g.reduceMean(each, [0, 1], false);
}

/** Targets of an auxiliary head are named for its logits. */
export const auxiliaryTargets = (logits: string): string => `${logits}.targets`;

/**
 * The training graph with its loss: inputs `targets` and, for each branch head, its own targets (what is heard, or seen);
 * further output `loss`.
 */
export function withLoss(victim: VictimGraph): Graph {
  const logits = victim.graph.outputs.find(({ name }) => name === 'logits');
  const labels = logits?.dims?.[1] ?? '';
  const g = new GraphBuilder({ prefix: 'loss/' });
  const main = binaryCrossEntropy(g, g.input('logits', ['batch', labels]), g.input('targets', ['batch', labels]));
  const total = victim.auxiliaryLogits.reduce((sum, name) => {
    const branch = binaryCrossEntropy(
      g,
      g.input(name, ['batch', labels]),
      g.input(auxiliaryTargets(name), ['batch', labels]),
    );
    return g.plus(sum, g.times(branch, g.scalar(AUXILIARY_WEIGHT)));
  }, main);
  g.output(total, [], 'float32', 'loss');
  const loss = g.graph('loss');
  return joinGraphs([victim.graph, loss], [...victim.graph.outputs, ...loss.outputs], `${victim.graph.name}-training`);
}
