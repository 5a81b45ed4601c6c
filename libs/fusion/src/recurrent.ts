import { int, string } from '@faultline/onnx';
import type { RecurrentSpec } from './designs.ts';
import type { LayerBuilder } from './layers.ts';
import { type Sequence, unitGain } from './sequence.ts';

const GATES = 3;

/** A gated recurrent unit; names its states at all steps, `<branch>.states` `[batch, steps, directions x hidden]`. */
export function recurrentEncoder(
  layers: LayerBuilder,
  branch: string,
  x: Sequence,
  { hidden, directions }: RecurrentSpec,
  taps: string[],
): Sequence {
  const g = layers.graph;
  const layer = `${branch}.recurrent`;
  const parameters = [
    layers.parameter(`${layer}.input`, [directions, GATES * hidden, x.width], unitGain(x.width)),
    layers.parameter(`${layer}.state`, [directions, GATES * hidden, hidden], unitGain(hidden)),
    layers.parameter(`${layer}.bias`, [directions, 2 * GATES * hidden], { kind: 'constant', value: 0 }),
  ];
  // The runtime's recurrent layers want time first; their form with the reset gate after the product is cuDNN's.
  const states = g.op('GRU', [g.transpose(x.value, [1, 0, 2]), ...parameters], {
    hidden_size: int(hidden),
    direction: string(directions === 2 ? 'bidirectional' : 'forward'),
    linear_before_reset: int(1),
  });
  const width = directions * hidden;
  const byBatch = g.transpose(states, [2, 0, 1, 3]);
  taps.push(`${branch}.states`);
  const value = g.op('Reshape', [byBatch, g.ints([-1, x.steps, width])], {}, `${branch}.states`);
  return { value, steps: x.steps, width };
}
