import type { Graph } from '@faultline/onnx';
import { type Features, RandomLayers } from './random-layers.ts';

const WIDTHS = [64, 128, 256, 512];
const BLOCKS = 2;
const LABELS = 400;

/** R(2+1)D-18 (Tran et al. 2018): frames `[batch, 3, frames, side, side]` -> logits `[batch, 400]`. */
export function r2plus1d18(frames: number, side: number): Graph {
  const layers = new RandomLayers();
  const clip = layers.graph.input('clip', ['batch', 3, frames, side, side]);
  const stem = layers.block({ value: clip, channels: 3 }, { channels: 45, kernel: [1, 7, 7], stride: [1, 2, 2] });
  let x = layers.block(stem, { channels: 64, kernel: [3, 1, 1] });
  for (const [stage, width] of WIDTHS.entries()) {
    for (let block = 0; block < BLOCKS; block++) x = residual(layers, x, width, stage > 0 && block === 0 ? 2 : 1);
  }
  layers.graph.output(layers.head(x, LABELS), ['batch', LABELS], 'float32', 'logits');
  return layers.graph.graph('r2plus1d-18');
}

/** Width between the two halves that keeps the number of parameters of a 3x3x3 convolution. */
const middle = (inputs: number, outputs: number) => Math.floor((inputs * outputs * 27) / (inputs * 9 + outputs * 3));

function residual(layers: RandomLayers, x: Features, channels: number, side: number): Features {
  const between = middle(x.channels, channels);
  const spatial = layers.block(x, { channels: between, kernel: [1, 3, 3], stride: [1, side, side] });
  const first = layers.block(spatial, { channels, kernel: [3, 1, 1], stride: [side, 1, 1] });
  const second = layers.block(first, { channels: middle(channels, channels), kernel: [1, 3, 3] });
  const last = layers.normalization(layers.convolution(second, { channels, kernel: [3, 1, 1] }), 0.3);
  const stride = [side, side, side];
  const kept =
    side === 1 && x.channels === channels
      ? x
      : layers.normalization(layers.convolution(x, { channels, kernel: [1, 1, 1], stride }));
  return layers.relu({ value: layers.graph.plus(last.value, kept.value), channels });
}
