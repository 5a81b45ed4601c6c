import type { GraphBuilder } from '@faultline/onnx';
import type { Features, Initialisation, LayerBuilder } from './layers.ts';

/** A value `[batch, steps, width]`. */
export interface Sequence {
  readonly value: string;
  readonly steps: number;
  readonly width: number;
}

/** A map over time and frequency, `[batch, channels, steps, bands]`. */
export interface TimeFrequencyMap extends Features {
  readonly steps: number;
  readonly bands: number;
}

/** Weight `[inputs, outputs]` and bias `[outputs]` of a linear layer, which may be applied more than once. */
export interface Linear {
  readonly weight: string;
  readonly bias: string;
  readonly outputs: number;
}

/** Normal with variance 1 / inputs (LeCun et al., 1998), for layers that no Relu follows. */
export const unitGain = (inputs: number): Initialisation => ({ kind: 'he', fanIn: 2 * inputs });

const constant = (value: number): Initialisation => ({ kind: 'constant', value });

/** Declares a linear layer of unit gain; its bias starts at `bias`. */
export function linear(layers: LayerBuilder, layer: string, inputs: number, outputs: number, bias = 0): Linear {
  return {
    weight: layers.parameter(`${layer}.weight`, [inputs, outputs], unitGain(inputs)),
    bias: layers.parameter(`${layer}.bias`, [outputs], constant(bias)),
    outputs,
  };
}

/** x W + b over the last axis, named `as` if given. */
export function apply(g: GraphBuilder, { weight, bias }: Linear, x: string, as?: string): string {
  return g.op('Add', [g.matmul(x, weight), bias], {}, as);
}

/** x W + b at every step. */
export function project(layers: LayerBuilder, layer: string, x: Sequence, width: number, as?: string): Sequence {
  return { value: apply(layers.graph, linear(layers, layer, x.width, width), x.value, as), steps: x.steps, width };
}

/** The sequence itself where it has this width already, else its projection. */
export function toWidth(layers: LayerBuilder, layer: string, x: Sequence, width: number): Sequence {
  return x.width === width ? x : project(layers, layer, x, width);
}

/** Scale and shift of a layer normalisation (Ba et al., 2016), which may be applied more than once. */
export interface LayerNorm {
  readonly scale: string;
  readonly shift: string;
}

export function layerNorm(layers: LayerBuilder, layer: string, width: number): LayerNorm {
  return {
    scale: layers.parameter(`${layer}.scale`, [width], constant(1)),
    shift: layers.parameter(`${layer}.shift`, [width], constant(0)),
  };
}

/** Normalises over the last axis. */
export function normalise(g: GraphBuilder, { scale, shift }: LayerNorm, x: string, as?: string): string {
  return g.op('LayerNormalization', [x, scale, shift], { axis: { type: 'int', value: -1 } }, as);
}
