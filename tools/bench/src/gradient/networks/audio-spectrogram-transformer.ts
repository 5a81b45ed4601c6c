import { float, type Graph, int, ints } from '@faultline/onnx';
import { type Features, RandomLayers } from './random-layers.ts';

/** Sizes of the small DeiT that the smaller published models start from (Touvron et al. 2021); 16 x 16 patches every 10. */
const WIDTH = 384;
const HEADS = 6;
const DEPTH = 12;
const MLP = 4;
const PATCH = 16;
const STRIDE = 10;
const MEL_BINS = 128;
const LABELS = 527;

/** AST (Gong et al. 2021): log-mel `[batch, 1, 128, steps]` -> logits `[batch, 527]`; operators as exporters write them at opset 17. */
export function audioSpectrogramTransformer(steps: number): Graph {
  const layers = new RandomLayers();
  const g = layers.graph;
  const mel = g.input('mel', ['batch', 1, MEL_BINS, steps]);
  const weights = layers.weights([WIDTH, 1, PATCH, PATCH], PATCH * PATCH, 1);
  const patches = g.op('Conv', [mel, weights, layers.vector(WIDTH, 0.1)], {
    kernel_shape: ints([PATCH, PATCH]),
    strides: ints([STRIDE, STRIDE]),
  });
  const count = (size: number) => Math.floor((size - PATCH) / STRIDE) + 1;
  const tokens = count(MEL_BINS) * count(steps) + 1;
  const sequence = g.transpose(g.reshape(patches, [0, WIDTH, tokens - 1]), [0, 2, 1]);
  const batchOnly = g.op('Slice', [g.op('Shape', [mel]), g.ints([0]), g.ints([1])]);
  const shape = g.concat([batchOnly, g.ints([1, WIDTH])], 0);
  const classToken = g.op('Expand', [g.constant(layers.tensor([1, 1, WIDTH], 0.5)), shape]);
  const positions = g.constant(layers.tensor([1, tokens, WIDTH], 0.5));
  let x = { value: g.plus(g.concat([classToken, sequence], 1), positions), channels: WIDTH };
  for (let layer = 0; layer < DEPTH; layer++) {
    x = { value: g.plus(x.value, attention(layers, layerNorm(layers, x), tokens)), channels: WIDTH };
    x = { value: g.plus(x.value, perceptron(layers, layerNorm(layers, x))), channels: WIDTH };
  }
  const first = g.op('Gather', [layerNorm(layers, x).value, g.constant(indexZero)], { axis: int(1) });
  g.output(layers.dense({ value: first, channels: WIDTH }, LABELS), ['batch', LABELS], 'float32', 'logits');
  return g.graph('audio-spectrogram-transformer');
}

const indexZero = { dataType: 'int64', dims: [], data: new BigInt64Array(1) } as const;

function layerNorm(layers: RandomLayers, { value, channels }: Features): Features {
  const operands = [value, layers.vector(channels, 0.1, 1), layers.vector(channels, 0.1)];
  const attributes = { axis: int(-1), epsilon: float(1e-6) };
  return { value: layers.graph.op('LayerNormalization', operands, attributes), channels };
}

/** x W + b along the last axis. */
function linear(layers: RandomLayers, x: Features, outputs: number): Features {
  const g = layers.graph;
  const product = g.matmul(x.value, layers.weights([x.channels, outputs], x.channels, 1));
  return { value: g.plus(product, layers.vector(outputs, 0.1)), channels: outputs };
}

function attention(layers: RandomLayers, x: Features, tokens: number): string {
  const g = layers.graph;
  const size = x.channels / HEADS;
  const heads = (value: string, perm: readonly number[]) =>
    g.transpose(g.reshape(value, [0, tokens, HEADS, size]), perm);
  const query = heads(linear(layers, x, x.channels).value, [0, 2, 1, 3]);
  const key = heads(linear(layers, x, x.channels).value, [0, 2, 3, 1]);
  const content = heads(linear(layers, x, x.channels).value, [0, 2, 1, 3]);
  const scores = g.times(g.matmul(query, key), g.scalar(1 / Math.sqrt(size)));
  const seen = g.matmul(g.op('Softmax', [scores], { axis: int(-1) }), content);
  const joined = g.reshape(g.transpose(seen, [0, 2, 1, 3]), [0, tokens, x.channels]);
  return linear(layers, { value: joined, channels: x.channels }, x.channels).value;
}

/** Two linear layers with Gelu written out by the error function. */
function perceptron(layers: RandomLayers, x: Features): string {
  const g = layers.graph;
  const { value, channels } = linear(layers, x, MLP * x.channels);
  const erf = g.op('Erf', [g.over(value, g.scalar(Math.SQRT2))]);
  const active = g.times(g.times(value, g.plus(erf, g.scalar(1))), g.scalar(0.5));
  return linear(layers, { value: active, channels }, x.channels).value;
}
