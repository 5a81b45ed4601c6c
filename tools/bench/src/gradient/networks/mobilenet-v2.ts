import type { Graph } from '@faultline/onnx';
import { type ConvolutionForm, type Features, RandomLayers } from './random-layers.ts';

/** Expansion, channels, repeats and first stride of each stage (Sandler et al. 2018, table 2). */
const STAGES = [
  { expansion: 1, channels: 16, blocks: 1, stride: 1 },
  { expansion: 6, channels: 24, blocks: 2, stride: 2 },
  { expansion: 6, channels: 32, blocks: 3, stride: 2 },
  { expansion: 6, channels: 64, blocks: 4, stride: 2 },
  { expansion: 6, channels: 96, blocks: 3, stride: 1 },
  { expansion: 6, channels: 160, blocks: 3, stride: 2 },
  { expansion: 6, channels: 320, blocks: 1, stride: 1 },
];
const STEM = 32;
const LAST = 1280;
const LABELS = 1000;

/** MobileNetV2: pixels `[batch, 3, side, side]` -> logits `[batch, 1000]`. */
export function mobilenetV2(side: number): Graph {
  const layers = new RandomLayers();
  const x = layers.graph.input('pixels', ['batch', 3, side, side]);
  let y = clipped(layers, { value: x, channels: 3 }, { channels: STEM, kernel: [3, 3], stride: [2, 2] });
  for (const { expansion, channels, blocks, stride } of STAGES) {
    for (let block = 0; block < blocks; block++) y = inverted(layers, y, expansion, channels, block === 0 ? stride : 1);
  }
  y = clipped(layers, y, { channels: LAST, kernel: [1, 1] });
  layers.graph.output(layers.head(y, LABELS), ['batch', LABELS], 'float32', 'logits');
  return layers.graph.graph('mobilenet-v2');
}

/** A convolution, normalised and clipped to 0 .. 6. */
function clipped(layers: RandomLayers, x: Features, form: ConvolutionForm): Features {
  const y = layers.normalization(layers.convolution(x, form));
  const g = layers.graph;
  return { value: g.op('Clip', [y.value, g.scalar(0), g.scalar(6)]), channels: y.channels };
}

/** Wide, depthwise, narrow again. */
function inverted(layers: RandomLayers, x: Features, expansion: number, channels: number, side: number): Features {
  const width = x.channels * expansion;
  const wide = expansion === 1 ? x : clipped(layers, x, { channels: width, kernel: [1, 1] });
  const seen = clipped(layers, wide, { channels: width, kernel: [3, 3], stride: [side, side], groups: width });
  const narrow = layers.normalization(layers.convolution(seen, { channels, kernel: [1, 1] }));
  if (side !== 1 || x.channels !== channels) return narrow;
  return { value: layers.graph.plus(x.value, narrow.value), channels };
}
