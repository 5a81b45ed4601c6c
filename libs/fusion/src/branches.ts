import { OnnxError } from '@faultline/onnx';
import type { Features, LayerBuilder, Moments } from './layers.ts';
import type { ConvolutionSpec, Inputs } from './specs.ts';

/** Rough mean and reciprocal spread of pixels in [0, 1]. */
const PIXEL_MEAN = 0.5;
const PIXEL_GAIN = 4;

/** Convolution blocks in a row, named `<branch>.1`, `<branch>.2`, ... */
export function stack(layers: LayerBuilder, branch: string, x: Features, specs: readonly ConvolutionSpec[]): Features {
  return specs.reduce((y, spec, index) => layers.convolution(`${branch}.${index + 1}`, y, spec), x);
}

/** frames `[batch, frames, 3, height, width]` -> centred moments `[batch x moments, 3 x frames of a moment, height, width]`. */
export function moments(layers: LayerBuilder, frames: string, spec: Inputs): Moments {
  const g = layers.graph;
  const { height, width } = spec.frames;
  const count = spec.frames.frames / spec.patches.frames;
  if (!Number.isInteger(count)) {
    throw new OnnxError(
      `moments of ${spec.patches.frames} frames do not divide ${spec.frames.frames} frames; change patches.frames`,
    );
  }
  const channels = 3 * spec.patches.frames;
  const each = g.reshape(frames, [-1, channels, height, width]);
  const value = g.times(g.minus(each, g.scalar(PIXEL_MEAN)), g.scalar(PIXEL_GAIN));
  return { value, channels, count, height, width };
}

/** `[batch x moments, channels, h, w]` -> the mean over each picture, `[batch, moments, channels]`. */
export function perMoment(layers: LayerBuilder, x: Features, count: number): Features {
  const g = layers.graph;
  const pooled = g.reduceMean(x.value, [2, 3], false);
  return { value: g.reshape(pooled, [-1, count, x.channels]), channels: x.channels };
}

/** Mean and maximum over one axis, side by side: `[batch, 2 channels]`. */
export function summarise(layers: LayerBuilder, x: Features, timeAxis: number): Features {
  const g = layers.graph;
  const value = g.concat([g.reduceMean(x.value, [timeAxis], false), g.reduceMax(x.value, [timeAxis], false)], 1);
  return { value, channels: 2 * x.channels };
}
