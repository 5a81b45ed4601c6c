import { OnnxError } from '@faultline/onnx';
import { stack } from './branches.ts';
import type { AudioTrunk, PatchTrunk } from './designs.ts';
import type { Initialisation, LayerBuilder } from './layers.ts';
import { residualTrunk } from './residual-trunk.ts';
import { apply, linear, type Sequence, type TimeFrequencyMap } from './sequence.ts';
import { afterBlock, toSequence } from './trunk-geometry.ts';

/** Positions start with a deviation of 0.02 (Dosovitskiy et al., 2021): 2 / fanIn = 0.02 squared. */
const POSITION_INIT: Initialisation = { kind: 'he', fanIn: 5000 };

/** Log-mel `[batch, 1, steps, bands]` -> sequence; adds the names of inner values worth reading to `taps`. */
export function audioTrunk(
  layers: LayerBuilder,
  branch: string,
  x: TimeFrequencyMap,
  spec: AudioTrunk,
  taps: string[],
): Sequence {
  switch (spec.kind) {
    case 'convolutional': {
      const { value, channels } = stack(layers, branch, x, spec.blocks);
      return toSequence(layers, { value, channels, ...spec.blocks.reduce(afterBlock, x) }, spec.bands);
    }
    case 'residual':
      return residualTrunk(layers, branch, x, spec, taps);
    case 'patches':
      return patchTrunk(layers, branch, x, spec);
  }
}

/** @throws OnnxError when the patches do not divide the log-mel. */
function patchTrunk(layers: LayerBuilder, branch: string, x: TimeFrequencyMap, { size, width }: PatchTrunk): Sequence {
  const g = layers.graph;
  const [rows, columns] = [x.steps / size[0], x.bands / size[1]];
  if (!Number.isInteger(rows) || !Number.isInteger(columns)) {
    throw new OnnxError(
      `patches of ${size[0]} x ${size[1]} do not divide a log-mel of ${x.steps} x ${x.bands}; change trunk.size`,
    );
  }
  const pixels = x.channels * size[0] * size[1];
  const steps = rows * columns;
  const cut = g.transpose(g.reshape(x.value, [-1, x.channels, rows, size[0], columns, size[1]]), [0, 2, 4, 1, 3, 5]);
  const embedded = apply(g, linear(layers, `${branch}.patch`, pixels, width), g.reshape(cut, [-1, steps, pixels]));
  const positions = layers.parameter(`${branch}.positions`, [steps, width], POSITION_INIT);
  return { value: g.plus(embedded, positions), steps, width };
}
