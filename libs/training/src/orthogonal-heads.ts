import type { VictimGraph } from '@faultline/fusion';
import { float32, type Graph, type GraphBuilder, OnnxError } from '@faultline/onnx';
import { auxiliaryTargets, withPenalty } from './loss.ts';

/** Weights of the two terms. */
export interface OrthogonalHeadsOptions {
  readonly orthogonality: number;
  readonly margin: number;
}

/** Keeps the direction of a zero column finite. */
const TINY_SQUARE = 1e-12;

/**
 * Regularises the branches' own heads after certifiable robust multi-modal training (CRMT; Yang et al., 2024): the directions
 * of a head's labels become orthogonal, so that logits measure distances to decision planes that do not share directions, and the
 * smaller of the branches' margins grows, so that no modality is left easy to break. There the task is single-label with softmax and
 * heads orthogonal by construction; here labels are independent, a margin is (2 t - 1) z / |w| for each of them, and
 * orthogonality is a penalty: weight x mean (W^T W - 1)^2 over normalised columns.
 * @throws OnnxError when the victim has fewer than two branch heads.
 */
export function withOrthogonalHeads(graph: Graph, victim: VictimGraph, options: OrthogonalHeadsOptions): Graph {
  const branches = victim.auxiliaryLogits.map((logits) => {
    const weight = victim.parameters.find(({ name }) => name === `${logits.replace(/\.logits$/, '')}.head.weight`);
    if (weight === undefined) throw new OnnxError(`branch logits '${logits}' have no head of their own`);
    return { logits, weight };
  });
  if (branches.length < 2) {
    throw new OnnxError(
      'orthogonal heads need a victim with two branches that have heads of their own; train mid or late',
    );
  }
  const labels = branches[0]?.weight.shape[1] ?? 0;
  const penalised = withPenalty(graph, 'orthogonality', options.orthogonality, (g) =>
    sumOf(
      g,
      branches.map(({ weight }) => {
        const unit = g.over(weight.name, columnNorms(g, weight.name));
        const products = g.matmul(g.transpose(unit, [1, 0]), unit);
        const off = g.minus(products, g.constant(identity(labels)));
        return g.reduceMean(g.times(off, off), [0, 1], false);
      }),
    ),
  );
  return withPenalty(penalised, 'margin', options.margin, (g) => {
    const exponents = branches.map(({ logits, weight }) => {
      const sign = g.minus(g.times(auxiliaryTargets(logits), g.scalar(2)), g.scalar(1));
      const distance = g.over(logits, columnNorms(g, weight.name));
      return g.reshape(g.negate(g.times(sign, distance)), [-1, labels, 1]);
    });
    // A smooth maximum over the branches of the negative margin.
    const worst = g.op('ReduceLogSumExp', [g.concat(exponents, 2), g.ints([2])]);
    return g.reduceMean(worst, [0, 1, 2], false);
  });
}

const columnNorms = (g: GraphBuilder, weight: string): string =>
  g.op('Sqrt', [g.plus(g.reduceSum(g.times(weight, weight), [0]), g.scalar(TINY_SQUARE))]);

const sumOf = (g: GraphBuilder, values: readonly string[]): string => g.op('Sum', values);

const identity = (size: number) =>
  float32(
    Float32Array.from({ length: size * size }, (_, index) => Number(index % (size + 1) === 0)),
    [size, size],
  );
