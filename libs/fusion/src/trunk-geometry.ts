import type { ConvolutionalTrunk } from './designs.ts';
import type { LayerBuilder } from './layers.ts';
import type { Sequence, TimeFrequencyMap } from './sequence.ts';
import type { ConvolutionSpec } from './specs.ts';

/** Steps and bands of a map after a block: padding by half the kernel, windows of the pooling side by side. */
export function afterBlock(
  { steps, bands }: { readonly steps: number; readonly bands: number },
  { kernel, stride, pool = [1, 1] }: ConvolutionSpec,
): { readonly steps: number; readonly bands: number } {
  const size = (before: number, axis: 0 | 1) => {
    const pads = 2 * ((kernel[axis] - 1) >> 1);
    return Math.floor((Math.floor((before + pads - kernel[axis]) / stride[axis]) + 1) / pool[axis]);
  };
  return { steps: size(steps, 0), bands: size(bands, 1) };
}

/** `[batch, channels, steps, bands]` -> `[batch, steps, channels x bands]`, or `[batch, steps, channels]`, averaged over bands. */
export function toSequence(layers: LayerBuilder, x: TimeFrequencyMap, bands: ConvolutionalTrunk['bands']): Sequence {
  const g = layers.graph;
  if (bands === 'averaged') {
    const value = g.transpose(g.reduceMean(x.value, [3], false), [0, 2, 1]);
    return { value, steps: x.steps, width: x.channels };
  }
  const width = x.channels * x.bands;
  return { value: g.reshape(g.transpose(x.value, [0, 2, 1, 3]), [-1, x.steps, width]), steps: x.steps, width };
}
