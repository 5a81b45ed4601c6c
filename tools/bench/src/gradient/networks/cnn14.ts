import { type Graph, int, ints } from '@faultline/onnx';
import { type Features, RandomLayers } from './random-layers.ts';

const WIDTHS = [64, 128, 256, 512, 1024, 2048];
const MEL_BINS = 64;
const LABELS = 527;

/** CNN14 (Kong et al. 2020) behind its spectrogram: log-mel `[batch, 1, steps, 64]` -> logits `[batch, 527]`. */
export function cnn14(steps: number): Graph {
  const layers = new RandomLayers();
  const g = layers.graph;
  const mel = g.input('mel', ['batch', 1, steps, MEL_BINS]);
  // The first normalisation is one of mel bins.
  const bins = layers.normalization({ value: g.transpose(mel, [0, 3, 2, 1]), channels: MEL_BINS });
  let x: Features = { value: g.transpose(bins.value, [0, 3, 2, 1]), channels: 1 };
  for (const [stage, channels] of WIDTHS.entries()) {
    const form = { channels, kernel: [3, 3] };
    x = layers.block(layers.block(x, form), form);
    const last = stage === WIDTHS.length - 1;
    if (!last) {
      x = { value: g.op('AveragePool', [x.value], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }), channels };
    }
  }
  const overBins = g.reduceMean(x.value, [3], false);
  const largest = g.op('ReduceMax', [overBins, g.ints([2])], { keepdims: int(0) });
  const pooled = g.plus(largest, g.reduceMean(overBins, [2], false));
  const embedding = g.relu(layers.dense({ value: pooled, channels: x.channels }, x.channels));
  g.output(layers.dense({ value: embedding, channels: x.channels }, LABELS), ['batch', LABELS], 'float32', 'logits');
  return g.graph('cnn14');
}
