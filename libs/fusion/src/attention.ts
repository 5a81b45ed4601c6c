import { OnnxError } from '@faultline/onnx';
import type { AttentionSpec } from './designs.ts';
import type { LayerBuilder } from './layers.ts';
import {
  apply,
  type LayerNorm,
  type Linear,
  layerNorm,
  linear,
  normalise,
  type Sequence,
  toWidth,
} from './sequence.ts';

/** The weights of one layer. */
interface EncoderLayer {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly output: Linear;
  readonly widen: Linear;
  readonly narrow: Linear;
  readonly attentionNorm: LayerNorm;
  readonly feedForwardNorm: LayerNorm;
}

/**
 * Self-attention over the steps. Of the n-th application it names `<branch>.encoder.<n>.heads` `[batch, heads, steps, width / heads]`
 * and the residual branches `.attended` and `.fed` `[batch, steps, width]`, before they are added.
 * @throws OnnxError when the heads do not divide the width.
 */
export function attentionEncoder(
  layers: LayerBuilder,
  branch: string,
  x: Sequence,
  spec: AttentionSpec,
  taps: string[],
): Sequence {
  const { width, heads } = spec;
  if (width % heads !== 0) {
    throw new OnnxError(`${heads} heads do not divide the width ${width}; change encoder.width or encoder.heads`);
  }
  let { value } = toWidth(layers, `${branch}.encoder.input`, x, width);
  let application = 0;
  for (let index = 0; index < spec.layers; index++) {
    const layer = declare(layers, `${branch}.encoder.${index}`, spec);
    for (let time = 0; time < spec.applications; time++) {
      value = encode(layers, layer, { value, steps: x.steps, width }, spec, `${branch}.encoder.${application++}`, taps);
    }
  }
  if (spec.form === 'before')
    value = normalise(layers.graph, layerNorm(layers, `${branch}.encoder.norm`, width), value);
  return { value, steps: x.steps, width };
}

function declare(layers: LayerBuilder, layer: string, { width, feedForward }: AttentionSpec): EncoderLayer {
  return {
    query: linear(layers, `${layer}.query`, width, width),
    key: linear(layers, `${layer}.key`, width, width),
    value: linear(layers, `${layer}.value`, width, width),
    output: linear(layers, `${layer}.output`, width, width),
    widen: linear(layers, `${layer}.widen`, width, feedForward),
    narrow: linear(layers, `${layer}.narrow`, feedForward, width),
    attentionNorm: layerNorm(layers, `${layer}.attention-norm`, width),
    feedForwardNorm: layerNorm(layers, `${layer}.feed-forward-norm`, width),
  };
}

function encode(
  layers: LayerBuilder,
  layer: EncoderLayer,
  x: Sequence,
  spec: AttentionSpec,
  name: string,
  taps: string[],
): string {
  const g = layers.graph;
  const { attentionNorm, feedForwardNorm } = layer;
  taps.push(`${name}.heads`, `${name}.attended`, `${name}.fed`);
  const attended = (value: string) => attend(layers, layer, { ...x, value }, spec.heads, name);
  const fed = (value: string) => feed(layers, layer, value, spec.form === 'before' ? 'Gelu' : 'Relu', name);
  switch (spec.form) {
    case 'after': {
      const y = normalise(g, attentionNorm, g.plus(x.value, attended(x.value)));
      return normalise(g, feedForwardNorm, g.plus(y, fed(y)));
    }
    case 'before': {
      const y = g.plus(x.value, attended(normalise(g, attentionNorm, x.value)));
      return g.plus(y, fed(normalise(g, feedForwardNorm, y)));
    }
    case 'no-residuals':
      return normalise(g, feedForwardNorm, fed(normalise(g, attentionNorm, attended(x.value))));
  }
}

/** Scaled dot-product attention of several heads. */
function attend(layers: LayerBuilder, layer: EncoderLayer, x: Sequence, heads: number, name: string): string {
  const g = layers.graph;
  const each = x.width / heads;
  const split = (part: Linear, order: readonly number[]) =>
    g.transpose(g.reshape(apply(g, part, x.value), [-1, x.steps, heads, each]), order);
  const scores = g.matmul(split(layer.query, [0, 2, 1, 3]), split(layer.key, [0, 2, 3, 1]));
  const shares = g.op('Softmax', [g.times(scores, g.scalar(1 / Math.sqrt(each)))]);
  const seen = g.op('MatMul', [shares, split(layer.value, [0, 2, 1, 3])], {}, `${name}.heads`);
  const joined = g.reshape(g.transpose(seen, [0, 2, 1, 3]), [-1, x.steps, x.width]);
  return apply(g, layer.output, joined, `${name}.attended`);
}

function feed(layers: LayerBuilder, layer: EncoderLayer, x: string, activation: 'Relu' | 'Gelu', name: string): string {
  const g = layers.graph;
  return apply(g, layer.narrow, g.op(activation, [apply(g, layer.widen, x)]), `${name}.fed`);
}
