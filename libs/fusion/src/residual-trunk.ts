import type { ResidualTrunk } from './designs.ts';
import type { Features, LayerBuilder } from './layers.ts';
import type { Sequence, TimeFrequencyMap } from './sequence.ts';
import type { ConvolutionSpec } from './specs.ts';
import { afterBlock, toSequence } from './trunk-geometry.ts';

/** Bottlenecks end in this multiple of their inner channels (He et al., 2016). */
const EXPANSION = 4;

/**
 * A residual network over time and frequency; names each residual branch before it is added,
 * `<branch>.stage<s>.<b>.residual`.
 */
export function residualTrunk(
  layers: LayerBuilder,
  branch: string,
  x: TimeFrequencyMap,
  spec: ResidualTrunk,
  taps: string[],
): Sequence {
  let y: TimeFrequencyMap = {
    ...layers.convolution(`${branch}.stem`, x, spec.stem),
    ...afterBlock(x, spec.stem),
  };
  for (const [stage, { blocks, channels, stride }] of spec.stages.entries()) {
    for (let index = 0; index < blocks; index++) {
      const name = `${branch}.stage${stage + 1}.${index + 1}`;
      y = residualBlock(layers, name, y, spec.block, channels, index === 0 ? stride : 1);
      taps.push(`${name}.residual`);
    }
  }
  return toSequence(layers, y, 'averaged');
}

function residualBlock(
  layers: LayerBuilder,
  name: string,
  x: TimeFrequencyMap,
  block: ResidualTrunk['block'],
  channels: number,
  stride: 1 | 2,
): TimeFrequencyMap {
  const g = layers.graph;
  const path = block === 'basic' ? basic(channels, stride) : bottleneck(channels, stride);
  const inner = path
    .slice(0, -1)
    .reduce<Features>((y, spec, at) => layers.convolution(`${name}.${at + 1}`, y, spec), x);
  const last = path.at(-1) ?? square(channels, 1, 1);
  const residual = g.op(
    'Identity',
    [layers.normalisedConvolution(`${name}.${path.length}`, inner, last)],
    {},
    `${name}.residual`,
  );
  const same = stride === 1 && x.channels === last.channels;
  const shortcut = same
    ? x.value
    : layers.normalisedConvolution(`${name}.shortcut`, x, square(last.channels, 1, stride));
  const value = g.relu(g.plus(residual, shortcut));
  return { value, channels: last.channels, ...afterBlock(x, square(last.channels, 3, stride)) };
}

const square = (channels: number, side: number, stride: number): ConvolutionSpec => ({
  channels,
  kernel: [side, side],
  stride: [stride, stride],
});

const basic = (channels: number, stride: number) => [square(channels, 3, stride), square(channels, 3, 1)];

const bottleneck = (channels: number, stride: number) => [
  square(channels, 1, 1),
  square(channels, 3, stride),
  square(EXPANSION * channels, 1, 1),
];
