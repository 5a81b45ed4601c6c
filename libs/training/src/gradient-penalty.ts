import { differentiate } from '@faultline/autodiff';
import type { Graph } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { budgetedInputs, type ModalityBudgets, sizeOf } from './budgets.ts';
import { CLIP_LOSS, withPenalty } from './loss.ts';

export interface GradientPenaltyOptions {
  readonly weight: number;
  /** Put the modalities on one scale: a modality with twice the budget weighs four times as much. */
  readonly budgets: ModalityBudgets;
}

/**
 * Adds weight x the mean over clips of sum_v (r_v |d loss / d x_v|_2)^2 with r_v = epsilon_v sqrt(d_v): the squared growth of
 * the loss, to first order, within an L2 ball of the budget's radius (Drucker & LeCun, 1992; Ross & Doshi-Velez, 2018). The
 * gradient is part of the graph, so that differentiating it with respect to the weights differentiates twice.
 */
export async function withGradientPenalty(graph: Graph, { weight, budgets }: GradientPenaltyOptions): Promise<Graph> {
  const inputs = budgetedInputs(graph, budgets);
  const nameOf = (name: string) => `input-gradient/${name}`;
  const first = differentiate({
    graph,
    types: await dryRun(graph),
    output: CLIP_LOSS,
    wrt: inputs.map(({ name }) => name),
    gradName: nameOf,
  });
  return withPenalty({ ...first, outputs: graph.outputs }, 'gradient-penalty', weight, (g) => {
    const each = inputs.map((input) => {
      const gradient = nameOf(input.name);
      const axes = [0, ...input.dims].map((_, axis) => axis).slice(1);
      const squares = g.reduceSum(g.times(gradient, gradient), axes, false);
      return g.times(squares, g.scalar(input.epsilon ** 2 * sizeOf(input)));
    });
    return g.reduceMean(each.length > 1 ? g.op('Sum', each) : (each[0] ?? ''), [0], false);
  });
}
