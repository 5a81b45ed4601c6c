import { attentionEncoder } from './attention.ts';
import { stack } from './branches.ts';
import type { EncoderSpec, TemporalSpec } from './designs.ts';
import type { LayerBuilder } from './layers.ts';
import { recurrentEncoder } from './recurrent.ts';
import type { Sequence } from './sequence.ts';

/** Mixes the steps of a sequence; adds the names of inner values worth reading to `taps`. */
export function encodeSequence(
  layers: LayerBuilder,
  branch: string,
  x: Sequence,
  spec: EncoderSpec,
  taps: string[],
): Sequence {
  switch (spec.kind) {
    case 'attention':
      return attentionEncoder(layers, branch, x, spec, taps);
    case 'recurrent':
      return recurrentEncoder(layers, branch, x, spec, taps);
    case 'temporal':
      return temporalEncoder(layers, branch, x, spec);
    case 'none':
      return x;
  }
}

/** Convolutions over time with stride 1: `[batch, width, steps, 1]` and back. */
function temporalEncoder(layers: LayerBuilder, branch: string, x: Sequence, { blocks }: TemporalSpec): Sequence {
  const g = layers.graph;
  const map = g.reshape(g.transpose(x.value, [0, 2, 1]), [-1, x.width, x.steps, 1]);
  const y = stack(layers, `${branch}.temporal`, { value: map, channels: x.width }, blocks);
  const value = g.transpose(g.reshape(y.value, [-1, y.channels, x.steps]), [0, 2, 1]);
  return { value, steps: x.steps, width: y.channels };
}
