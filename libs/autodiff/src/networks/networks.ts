import { float32, type GraphBuilder, int, int64, ints, type Model, modelOf, string } from '@faultline/onnx';
import { Layers } from './layers.ts';

/** A small graph in the shape of a well-known architecture, as its exporter writes it. */
export interface Network {
  readonly name: string;
  readonly model: () => Model;
  /** Axis sizes of the input x, the batch left out. */
  readonly input: readonly number[];
}

const BATCH = 'batch';

function made(build: (layers: Layers, x: string) => string, input: readonly number[], opset = 17): () => Model {
  return () => {
    const layers = new Layers();
    layers.loss(build(layers, layers.b.input('x', [BATCH, ...input])));
    return modelOf(layers.b.graph(), opset);
  };
}

/** Residual blocks, one of them strided with a projection. */
const resnet = (l: Layers, x: string): string => {
  const { b } = l;
  const block = (value: string, inputs: number, outputs: number, stride: number) => {
    const first = b.relu(l.batchNorm(l.conv(value, [inputs, outputs], [3, 3], { stride }), outputs));
    const second = l.batchNorm(l.conv(first, [outputs, outputs], [3, 3]), outputs);
    const skip = stride === 1 ? value : l.batchNorm(l.conv(value, [inputs, outputs], [1, 1], { stride }), outputs);
    return b.relu(b.plus(second, skip));
  };
  const stem = b.relu(l.batchNorm(l.conv(x, [3, 6], [7, 7], { stride: 2 }), 6));
  const pooled = b.op('MaxPool', [stem], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
    ceil_mode: int(0),
  });
  const deep = block(block(pooled, 6, 6, 1), 6, 8, 2);
  return l.gemm(b.op('Flatten', [b.op('GlobalAveragePool', [deep])]), 8, 5);
};

/** Inverted residuals with squeeze and excitation, hard activations as one operator and as torch decomposes them. */
const mobilenet = (l: Layers, x: string): string => {
  const { b } = l;
  const hardSwish = (value: string) => b.times(value, b.over(l.clip(b.plus(value, b.scalar(3)), 0, 6), b.scalar(6)));
  const stem = b.op('HardSwish', [l.conv(x, [3, 8], [3, 3], { stride: 2 })]);
  const expanded = hardSwish(l.batchNorm(l.conv(stem, [8, 16], [1, 1]), 16));
  const depthwise = b.relu(l.conv(expanded, [16, 16], [5, 5], { stride: 2, group: 16 }));
  const squeezed = b.relu(l.conv(b.op('GlobalAveragePool', [depthwise]), [16, 4], [1, 1]));
  const gate = b.op('HardSigmoid', [l.conv(squeezed, [4, 16], [1, 1])], {
    alpha: { type: 'float', value: 1 / 6 },
    beta: { type: 'float', value: 0.5 },
  });
  const projected = l.conv(b.times(depthwise, gate), [16, 8], [1, 1]);
  const mean = b.op('ReduceMean', [l.clip(projected, -0.8, 6)], { axes: ints([-1, -2]), keepdims: int(1) });
  const features = hardSwish(l.gemm(b.op('Flatten', [mean]), 8, 12));
  return l.gemm(features, 12, 5);
};

/** How exporters of three generations write scaled dot-product attention of [batch, tokens, width]. */
const attentions = {
  /** nn.MultiheadAttention of torch 1.x: sequence first, heads folded into the batch, shapes computed in the graph. */
  11: (l: Layers, x: string, width: number, heads: number, tokens: number): string => {
    const { b } = l;
    const sequence = b.transpose(x, [1, 0, 2]);
    const size = width / heads;
    const projected = [0, 1, 2].map(() => l.linear(sequence, width, width));
    const batch = b.op('Gather', [b.op('Shape', [sequence]), b.constant(int64([1], []))]);
    const folded = b.op('Unsqueeze', [b.times(batch, b.constant(int64([heads], []))), b.ints([0])]);
    const apart = (value: string) =>
      b.transpose(b.op('Reshape', [value, b.concat([b.ints([tokens]), folded, b.ints([size])], 0)]), [1, 0, 2]);
    const [q = '', k = '', v = ''] = projected.map(apart);
    const scores = b.matmul(b.over(q, b.scalar(Math.sqrt(size))), b.transpose(k, [0, 2, 1]));
    const mixed = b.transpose(b.matmul(b.op('Softmax', [scores], { axis: int(-1) }), v), [1, 0, 2]);
    const whole = b.concat([b.ints([tokens]), b.op('Unsqueeze', [batch, b.ints([0])]), b.ints([width])], 0);
    return b.transpose(l.linear(b.op('Reshape', [mixed, whole]), width, width), [1, 0, 2]);
  },
  /** F.scaled_dot_product_attention of torch 2.0: both sides scaled by the root of the factor, which is computed. */
  14: (l: Layers, x: string, width: number, heads: number, tokens: number): string => {
    const { b } = l;
    const qkv = b.reshape(l.linear(x, width, 3 * width), [-1, tokens, 3, heads, width / heads]);
    const parts = b.transpose(qkv, [2, 0, 3, 1, 4]);
    const [q = '', k = '', v = ''] = [0, 1, 2].map((at) =>
      b.op('Gather', [parts, b.constant(int64([at], []))], { axis: int(0) }),
    );
    const last = b.slice(b.op('Shape', [q]), [-1], [2 ** 31], [0]);
    const factor = b.over(b.constant(float32([1])), b.op('Sqrt', [b.op('Cast', [last], { to: int(1) })]));
    const root = b.op('Sqrt', [factor]);
    const scores = b.matmul(b.times(q, root), b.times(b.transpose(k, [0, 1, 3, 2]), root));
    const mixed = b.transpose(b.matmul(b.op('Softmax', [scores], { axis: int(-1) }), v), [0, 2, 1, 3]);
    return l.linear(b.reshape(mixed, [-1, tokens, width]), width, width);
  },
  /** timm's: one projection, Split and Squeeze, masked by Where as hub models are. */
  17: (l: Layers, x: string, width: number, heads: number, tokens: number): string => {
    const { b } = l;
    const qkv = b.reshape(l.linear(x, width, 3 * width), [0, tokens, 3, heads, width / heads]);
    const names = ['q', 'k', 'v'].map((name) => b.fresh(name));
    b.add('Split', [b.transpose(qkv, [2, 0, 3, 1, 4]), b.ints([1, 1, 1])], { axis: int(0) }, names);
    const [q = '', k = '', v = ''] = names.map((name) => b.op('Squeeze', [name, b.ints([0])]));
    const scaled = b.times(q, b.scalar((width / heads) ** -0.5));
    const seen = b.constant({
      dataType: 'bool',
      dims: [tokens, tokens],
      data: Uint8Array.from({ length: tokens ** 2 }, (_, i) => (i % 7 === 3 ? 0 : 1)),
    });
    const scores = b.op('Where', [
      seen,
      b.op('Einsum', [scaled, k], { equation: string('bhqd,bhkd->bhqk') }),
      b.scalar(-1e9),
    ]);
    const mixed = b.transpose(b.matmul(b.op('Softmax', [scores], { axis: int(-1) }), v), [0, 2, 1, 3]);
    return l.linear(b.op('Flatten', [mixed], { axis: int(2) }), width, width);
  },
} as const;

/** Flatten puts everything before its axis together: the tokens take their own axis again. */
const tokensOf = (b: GraphBuilder, x: string, tokens: number, width: number) => b.reshape(x, [-1, tokens, width]);

/** Patches, class token, position embeddings, pre-norm blocks; the class token is classified. */
const transformer =
  (style: keyof typeof attentions) =>
  (l: Layers, x: string): string => {
    const { b } = l;
    const [width, heads, patches] = [8, 2, 6];
    const embedded = l.conv(x, [1, width], [4, 4], { stride: 4, pad: 0 });
    const tokens = b.transpose(b.reshape(embedded, [-1, width, patches]), [0, 2, 1]);
    const batch = b.slice(b.op('Shape', [tokens]), [0], [1], [0]);
    const first = b.op('Expand', [l.weights([1, 1, width], 1), b.concat([batch, b.ints([1, width])], 0)]);
    let value = b.plus(b.concat([first, tokens], 1), l.weights([1, patches + 1, width], 1));
    const normed = tokensOf(
      b,
      attentions[style](l, l.layerNorm(value, width), width, heads, patches + 1),
      patches + 1,
      width,
    );
    value = b.plus(value, normed);
    const hidden = l.linear(l.layerNorm(value, width), width, 2 * width);
    const active = style === 17 ? b.op('Tanh', [hidden]) : l.erfGelu(hidden);
    value = b.plus(value, l.linear(active, 2 * width, width));
    const token = b.op('Gather', [l.layerNorm(value, width), b.constant(int64([0], []))], { axis: int(1) });
    return l.gemm(token, width, 5);
  };

/** Convolutions over log-mel, a bidirectional LSTM over time, the mean of its states. */
const crnn = (l: Layers, x: string): string => {
  const { b } = l;
  const first = l.pool('MaxPool', b.relu(l.batchNorm(l.conv(x, [1, 4], [3, 3]), 4)), [2, 2]);
  const second = l.pool('AveragePool', b.op('Elu', [l.conv(first, [4, 4], [3, 3])]), [2, 2]);
  // [batch, channels, time, mel] -> [time, batch, channels x mel]
  const sequence = b.reshape(b.transpose(second, [2, 0, 1, 3]), [4, -1, 12]);
  const hidden = 5;
  const states = b.fresh('states');
  const inputs = [
    sequence,
    l.weights([2, 4 * hidden, 12], 12),
    l.weights([2, 4 * hidden, hidden], hidden),
    l.weights([2, 8 * hidden], 8),
  ];
  b.add('LSTM', inputs, { hidden_size: int(hidden), direction: string('bidirectional') }, [states]);
  const joined = b.reshape(b.transpose(states, [2, 0, 1, 3]), [-1, 4, 2 * hidden]);
  return l.gemm(b.op('ReduceMean', [joined], { axes: ints([1]), keepdims: int(0) }), 2 * hidden, 5);
};

/** A waveform's log-mel by STFT and MelWeightMatrix, then depthwise-separable convolutions. */
const yamnet = (l: Layers, x: string): string => {
  const { b } = l;
  const scalar = (value: number) => b.constant(int64([value], []));
  const window = b.op('HannWindow', [scalar(32)]);
  const spectrum = b.op('STFT', [b.op('Unsqueeze', [x, b.ints([2])]), scalar(16), window]);
  const power = b.reduceSum(b.times(spectrum, spectrum), [3], false);
  const mel = b.op('MelWeightMatrix', [scalar(8), scalar(32), scalar(800), b.scalar(20), b.scalar(390)]);
  const logMel = b.op('Log', [b.plus(b.matmul(power, mel), b.scalar(1e-2))]);
  const image = b.op('Unsqueeze', [logMel, b.ints([1])]);
  const stem = b.op('Relu', [l.conv(image, [1, 4], [3, 3], { stride: 2 })]);
  const depthwise = l.clip(l.conv(stem, [4, 4], [3, 3], { group: 4 }), 0, 6);
  const separable = b.relu(l.batchNorm(l.conv(depthwise, [4, 6], [1, 1]), 6));
  return l.gemm(b.op('Flatten', [b.op('GlobalMaxPool', [separable])]), 6, 5);
};

/** Spatial and temporal convolutions apart, over frames [batch, channels, time, height, width]. */
const r2plus1d = (l: Layers, x: string): string => {
  const { b } = l;
  const spatial = b.relu(l.batchNorm(l.conv(x, [3, 5], [1, 3, 3], { stride: 1, pad: 1 }), 5));
  const temporal = b.relu(l.conv(spatial, [5, 4], [3, 1, 1], { pad: 1 }));
  const strided = l.conv(temporal, [4, 4], [3, 3, 3], { stride: 2, pad: 1 });
  const skip = l.conv(temporal, [4, 4], [1, 1, 1], { stride: 2 });
  const mean = b.op('GlobalAveragePool', [b.relu(b.plus(strided, skip))]);
  return l.gemm(b.op('Flatten', [mean]), 4, 5);
};

export const NETWORKS: readonly Network[] = [
  { name: 'ResNet', input: [3, 24, 20], model: made(resnet, [3, 24, 20]) },
  { name: 'MobileNetV3', input: [3, 16, 16], model: made(mobilenet, [3, 16, 16]) },
  { name: 'ViT, attention as of opset 11', input: [1, 12, 8], model: made(transformer(11), [1, 12, 8], 13) },
  { name: 'AST, attention as of opset 14', input: [1, 12, 8], model: made(transformer(14), [1, 12, 8], 17) },
  { name: 'ViT, attention as of opset 17', input: [1, 12, 8], model: made(transformer(17), [1, 12, 8], 17) },
  { name: 'CRNN', input: [1, 16, 12], model: made(crnn, [1, 16, 12]) },
  { name: 'YAMNet', input: [160], model: made(yamnet, [160]) },
  { name: 'R(2+1)D', input: [3, 4, 8, 8], model: made(r2plus1d, [3, 4, 8, 8]) },
];
