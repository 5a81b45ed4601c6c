import { type Graph, ints } from '@faultline/onnx';
import { type Features, RandomLayers } from './random-layers.ts';

/** Blocks and width of each stage (He et al. 2016, table 1). */
const STAGES = [
  { blocks: 3, width: 64 },
  { blocks: 4, width: 128 },
  { blocks: 6, width: 256 },
  { blocks: 3, width: 512 },
];
const EXPANSION = 4;
const LABELS = 1000;

/** ResNet-50 with the stride in the 3x3 convolution: pixels `[batch, 3, side, side]` -> logits `[batch, 1000]`. */
export function resnet50(side: number): Graph {
  const layers = new RandomLayers();
  const x = layers.graph.input('pixels', ['batch', 3, side, side]);
  const stem = layers.block({ value: x, channels: 3 }, { channels: 64, kernel: [7, 7], stride: [2, 2] });
  const pooled = layers.graph.op('MaxPool', [stem.value], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
  });
  let y: Features = { value: pooled, channels: stem.channels };
  for (const [stage, { blocks, width }] of STAGES.entries()) {
    for (let block = 0; block < blocks; block++) y = bottleneck(layers, y, width, stage > 0 && block === 0 ? 2 : 1);
  }
  layers.graph.output(layers.head(y, LABELS), ['batch', LABELS], 'float32', 'logits');
  return layers.graph.graph('resnet-50');
}

function bottleneck(layers: RandomLayers, x: Features, width: number, side: number): Features {
  const stride = [side, side];
  const narrow = layers.block(x, { channels: width, kernel: [1, 1] });
  const seen = layers.block(narrow, { channels: width, kernel: [3, 3], stride });
  const channels = EXPANSION * width;
  // A small gain keeps the variance of a long chain of sums in bounds.
  const wide = layers.normalization(layers.convolution(seen, { channels, kernel: [1, 1] }), 0.3);
  const kept =
    x.channels === channels ? x : layers.normalization(layers.convolution(x, { channels, kernel: [1, 1], stride }));
  return layers.relu({ value: layers.graph.plus(wide.value, kept.value), channels });
}
