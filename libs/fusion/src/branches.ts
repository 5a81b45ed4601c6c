import type { Features, LayerBuilder, Picture } from './layers.ts';
import type { ConvolutionSpec, FramesInput } from './specs.ts';

/** Rough mean and reciprocal spread of pixels in [0, 1]. */
const PIXEL_MEAN = 0.5;
const PIXEL_GAIN = 4;

/** Convolution blocks in a row, named `<branch>.1`, `<branch>.2`, ... */
export function stack(layers: LayerBuilder, branch: string, x: Features, specs: readonly ConvolutionSpec[]): Features {
  return specs.reduce((y, spec, index) => layers.convolution(`${branch}.${index + 1}`, y, spec), x);
}

/** frames `[batch, frames, 3, height, width]` -> centred pictures `[batch x frames, 3, height, width]`. */
export function pictures(layers: LayerBuilder, frames: string, { height, width }: FramesInput): Picture {
  const g = layers.graph;
  const each = g.reshape(frames, [-1, 3, height, width]);
  return { value: g.times(g.minus(each, g.scalar(PIXEL_MEAN)), g.scalar(PIXEL_GAIN)), height, width };
}

/** `[batch x frames, channels, h, w]` -> the mean over each picture, `[batch, frames, channels]`. */
export function perFrame(layers: LayerBuilder, x: Features, frames: number): Features {
  const g = layers.graph;
  const pooled = g.reduceMean(x.value, [2, 3], false);
  return { value: g.reshape(pooled, [-1, frames, x.channels]), channels: x.channels };
}

/** Mean and maximum over one axis, side by side: `[batch, 2 channels]`. */
export function summarise(layers: LayerBuilder, x: Features, timeAxis: number): Features {
  const g = layers.graph;
  const value = g.concat([g.reduceMean(x.value, [timeAxis], false), g.reduceMax(x.value, [timeAxis], false)], 1);
  return { value, channels: 2 * x.channels };
}
