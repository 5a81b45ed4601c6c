import type { FusionOperator } from './designs.ts';
import type { LayerBuilder } from './layers.ts';
import { apply, linear, project, type Sequence, toWidth } from './sequence.ts';

type Operator = (layers: LayerBuilder, audio: Sequence, visual: Sequence, width: number) => string;

const OPERATORS: Readonly<Record<FusionOperator, Operator>> = {
  sum: (layers, audio, visual, width) => {
    const g = layers.graph;
    const [heard, seen] = sameWidth(layers, audio, visual, width);
    const share = (name: string) => layers.parameter(name, [1], { kind: 'constant', value: 1 });
    return g.op('Add', [g.times(heard, share('fusion.audio')), g.times(seen, share('fusion.video'))], {}, 'fused');
  },
  concat: (layers, audio, visual, width) => {
    const both = linear(layers, 'fusion', audio.width + visual.width, width);
    return apply(layers.graph, both, layers.graph.concat([audio.value, visual.value], 2), 'fused');
  },
  film: (layers, audio, visual, width) => {
    const g = layers.graph;
    const heard = toWidth(layers, 'fusion.audio', audio, width);
    // The scale starts around 1, so that the audio passes.
    const scale = apply(g, linear(layers, 'fusion.scale', visual.width, width, 1), visual.value);
    const shift = project(layers, 'fusion.shift', visual, width);
    return g.op('Add', [g.times(heard.value, scale), shift.value], {}, 'fused');
  },
  gated: (layers, audio, visual, width) => {
    const g = layers.graph;
    const [heard, seen] = sameWidth(layers, audio, visual, width);
    const met = g.concat([heard, seen], 2);
    const gate = g.op('Sigmoid', [apply(g, linear(layers, 'fusion.gate', 2 * width, width), met)], {}, 'fusion.gate');
    return g.op('Add', [seen, g.times(gate, g.minus(heard, seen))], {}, 'fused');
  },
};

/** Two sequences of the same steps as one `[batch, steps, width]`, named `fused`. */
export function fuse(
  layers: LayerBuilder,
  operator: FusionOperator,
  audio: Sequence,
  visual: Sequence,
  width: number,
): Sequence {
  return { value: OPERATORS[operator](layers, audio, visual, width), steps: visual.steps, width };
}

function sameWidth(layers: LayerBuilder, audio: Sequence, visual: Sequence, width: number): [string, string] {
  return [
    toWidth(layers, 'fusion.audio-input', audio, width).value,
    toWidth(layers, 'fusion.video-input', visual, width).value,
  ];
}
