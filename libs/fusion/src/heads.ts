import { summarise } from './branches.ts';
import type { HeadSpec } from './designs.ts';
import type { LayerBuilder } from './layers.ts';
import { apply, linear, type Sequence } from './sequence.ts';

/** Share of clips that show a label, about: the heads start at its logit, so that training does not spend steps on it. */
const LABEL_PRIOR = 0.11;
export const HEAD_BIAS = Math.log(LABEL_PRIOR / (1 - LABEL_PRIOR));

/**
 * Sequence -> logits `[batch, labels]`, named `as`. Of a head `<branch>.head` it names `<branch>.embedding` `[batch, embedding]`, or
 * `<branch>.shares` `[batch, steps, labels]`, what each label's attention gives each step.
 */
export function sequenceHead(
  layers: LayerBuilder,
  layer: string,
  x: Sequence,
  spec: HeadSpec,
  labels: number,
  as: string,
  taps: string[],
): string {
  const beside = (name: string) => layer.replace(/head$/, name);
  switch (spec.kind) {
    case 'attention':
      taps.push(beside('shares'));
      return attentionHead(layers, layer, x, labels, as, beside('shares'));
    case 'mean-max': {
      const summary = summarise(layers, { value: x.value, channels: x.width }, 1);
      const embedding = layers.dense(`${layer}.embed`, summary.value, summary.channels, spec.embedding);
      const hidden = layers.graph.op('Relu', [embedding], {}, beside('embedding'));
      taps.push(hidden);
      return layers.dense(layer, hidden, spec.embedding, labels, { bias: HEAD_BIAS, as });
    }
  }
}

/** Every label's logits of single steps, weighted by its attention over the steps (Kong et al., 2018, on logits). */
function attentionHead(
  layers: LayerBuilder,
  layer: string,
  x: Sequence,
  labels: number,
  as: string,
  sharesAs: string,
): string {
  const g = layers.graph;
  const scores = apply(g, linear(layers, `${layer}.attention`, x.width, labels), x.value);
  const shares = g.op('Softmax', [scores], { axis: { type: 'int', value: 1 } }, sharesAs);
  const each = apply(g, linear(layers, layer, x.width, labels, HEAD_BIAS), x.value);
  const keepDims = { type: 'int', value: 0 } as const;
  return g.op('ReduceSum', [g.times(shares, each), g.ints([1])], { keepdims: keepDims }, as);
}
