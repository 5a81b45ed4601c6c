import {
  type Attributes,
  type Dimension,
  float32,
  GraphBuilder,
  int,
  ints,
  OnnxError,
  type Tensor,
} from '@faultline/onnx';
import type { ConvolutionSpec, PatchSpec } from './specs.ts';

/** How a parameter starts: normal with variance 2 / fanIn (He et al., 2015), or one value everywhere. */
export type Initialisation =
  | { readonly kind: 'he'; readonly fanIn: number }
  | { readonly kind: 'constant'; readonly value: number };

/** A trained tensor. */
export interface Parameter {
  readonly name: string;
  readonly shape: readonly number[];
  readonly init: Initialisation;
}

/** A value `[rows, channels, ...]` and its number of channels. */
export interface Features {
  readonly value: string;
  readonly channels: number;
}

/** Pictures of `count` moments a clip, `[batch x count, channels, height, width]`. */
export interface Moments extends Features {
  readonly count: number;
  readonly height: number;
  readonly width: number;
}

interface BlockNames {
  readonly weight: string;
  readonly scale: string;
  readonly shift: string;
}

/** Batch statistics of one normalisation, `[channels]` each: the value names of a training graph's outputs. */
export interface Statistics {
  readonly layer: string;
  readonly channels: number;
  readonly mean: string;
  readonly variance: string;
}

/** Weights and running statistics (`<layer>.mean`, `<layer>.variance`) by name. */
export type Weights = ReadonlyMap<string, Tensor>;

/**
 * What the graph is for: `training` takes weights as inputs and normalises by batch statistics; `evaluation` takes the
 * running statistics as inputs too; `export` holds the weights, normalisation folded into the convolutions.
 */
export type Purpose =
  | { readonly kind: 'training' }
  | { readonly kind: 'evaluation' }
  | { readonly kind: 'export'; readonly weights: Weights };

/** Keeps a channel without variance finite. */
export const NORMALISATION_EPSILON = 1e-3;

const { sqrt } = Math;

/** Builds a victim's layers in one of three forms, and records the parameters that they need. */
export class LayerBuilder {
  readonly graph = new GraphBuilder();
  readonly parameters: Parameter[] = [];
  readonly statistics: Statistics[] = [];
  readonly #purpose: Purpose;

  constructor(purpose: Purpose) {
    this.#purpose = purpose;
  }

  get purpose(): Purpose['kind'] {
    return this.#purpose.kind;
  }

  /** A block: Relu(norm(conv(x))), padded so that a stride of 1 keeps the size; then its pooling. */
  convolution(layer: string, x: Features, spec: ConvolutionSpec): Features {
    const value = this.graph.relu(this.normalisedConvolution(layer, x, spec));
    return { value: spec.pool === undefined ? value : maxPool(this.graph, value, spec.pool), channels: spec.channels };
  }

  /** norm(conv(x)), padded so that a stride of 1 keeps the size. */
  normalisedConvolution(layer: string, x: Features, { channels, kernel, stride }: ConvolutionSpec): string {
    const names = this.#declareBlock(layer, [channels, x.channels, ...kernel]);
    const g = this.graph;
    if (this.#purpose.kind === 'export') {
      const { weight, bias } = foldNormalisation(this.#purpose.weights, layer);
      const operands = [x.value, g.constant(weight, names.weight), g.constant(bias, `${layer}.bias`)];
      return g.op('Conv', operands, geometry(kernel, stride));
    }
    const y = g.op('Conv', [x.value, names.weight], geometry(kernel, stride));
    return this.#normalise(layer, y, channels, names);
  }

  /**
   * A block on square patches of pictures, one point a patch; `beside`, on the grid of the patches, are further input channels. Training gathers a patch's pixels into channels, where the weights' gradient is a
   * plain matrix product; an exported victim has the same as a strided convolution, whose input gradient is the cheaper one.
   * @throws OnnxError when the side does not divide the picture.
   */
  patchConvolution(layer: string, picture: Moments, patches: PatchSpec, beside?: Features): Features {
    const { side, channels } = patches;
    const [rows, columns] = [picture.height / side, picture.width / side];
    if (!Number.isInteger(rows) || !Number.isInteger(columns)) {
      throw new OnnxError(
        `patches of ${side} pixels do not divide pictures of ${picture.height} x ${picture.width}; change patches.side`,
      );
    }
    const gathered = picture.channels * side * side;
    const inputs = gathered + (beside?.channels ?? 0);
    const names = this.#declareBlock(layer, [channels, inputs, 1, 1]);
    const g = this.graph;
    if (this.#purpose.kind === 'export') {
      const { weight, bias } = foldNormalisation(this.#purpose.weights, layer);
      const ofPicture = float32(columnsOf(weight, 0, gathered), [channels, picture.channels, side, side]);
      const operands = [picture.value, g.constant(ofPicture, names.weight), g.constant(bias, `${layer}.bias`)];
      const y = g.op('Conv', operands, geometry([side, side], [side, side], [0, 0]));
      if (beside === undefined) return { value: g.relu(y), channels };
      const ofBeside = float32(columnsOf(weight, gathered, inputs), [channels, beside.channels, 1, 1]);
      const more = g.op('Conv', [beside.value, g.constant(ofBeside)], geometry([1, 1], [1, 1]));
      return { value: g.relu(g.plus(y, more)), channels };
    }
    const points = g.op('Conv', [picture.value, g.constant(pixelsOfPatch(picture.channels, side))], {
      ...geometry([side, side], [side, side], [0, 0]),
      group: int(picture.channels),
    });
    const met = beside === undefined ? points : g.concat([points, beside.value], 1);
    const y = g.op('Conv', [met, names.weight], geometry([1, 1], [1, 1]));
    return { value: g.relu(this.#normalise(layer, y, channels, names)), channels };
  }

  /** x W + b on `[batch, inputs]`; the bias starts at `bias`. */
  dense(layer: string, x: string, inputs: number, outputs: number, options: { bias?: number; as?: string } = {}) {
    const weight = this.parameter(`${layer}.weight`, [inputs, outputs], { kind: 'he', fanIn: inputs });
    const bias = this.parameter(`${layer}.bias`, [outputs], { kind: 'constant', value: options.bias ?? 0 });
    const g = this.graph;
    return g.op('Add', [g.matmul(x, weight), bias], {}, options.as);
  }

  /** A trained tensor: an input, or a constant of an exported graph. */
  parameter(name: string, shape: readonly number[], init: Initialisation): string {
    this.#declare(name, shape, init);
    if (this.#purpose.kind !== 'export') return this.graph.input(name, shape);
    return this.graph.constant(weightOf(this.#purpose.weights, name, shape), name);
  }

  #declare(name: string, shape: readonly number[], init: Initialisation): string {
    this.parameters.push({ name, shape, init });
    return name;
  }

  /** Weight, scale and shift of a block; inputs unless exported, where they are folded into one convolution. */
  #declareBlock(layer: string, shape: readonly number[]): BlockNames {
    const [channels = 0, ...window] = shape;
    const fanIn = window.reduce((product, size) => product * size, 1);
    const names = {
      weight: this.#declare(`${layer}.weight`, shape, { kind: 'he', fanIn }),
      scale: this.#declare(`${layer}.scale`, [channels], { kind: 'constant', value: 1 }),
      shift: this.#declare(`${layer}.shift`, [channels], { kind: 'constant', value: 0 }),
    };
    if (this.#purpose.kind !== 'export') {
      this.graph.input(names.weight, shape);
      this.graph.input(names.scale, [channels]);
      this.graph.input(names.shift, [channels]);
    }
    return names;
  }

  /** Batch normalisation (Ioffe & Szegedy, 2015) from primitives, so that its gradient needs no rule of its own. */
  #normalise(layer: string, y: string, channels: number, { scale, shift }: BlockNames): string {
    const g = this.graph;
    const shape = [1, channels, 1, 1];
    const axes = [0, 2, 3];
    let mean: string;
    let variance: string;
    let centred: string;
    if (this.#purpose.kind === 'training') {
      const batchMean = g.reduceMean(y, axes);
      centred = g.minus(y, batchMean);
      variance = g.reduceMean(g.times(centred, centred), axes);
      mean = g.op('Reshape', [batchMean, g.ints([channels])], {}, `${layer}.mean`);
      const flat = g.op('Reshape', [variance, g.ints([channels])], {}, `${layer}.variance`);
      this.statistics.push({ layer, channels, mean, variance: flat });
    } else {
      mean = g.input(`${layer}.mean`, [channels]);
      const flat = g.input(`${layer}.variance`, [channels]);
      this.statistics.push({ layer, channels, mean, variance: flat });
      centred = g.minus(y, g.reshape(mean, shape));
      variance = g.reshape(flat, shape);
    }
    const deviation = g.op('Sqrt', [g.plus(variance, g.scalar(NORMALISATION_EPSILON))]);
    const gain = g.over(g.reshape(scale, shape), deviation);
    return g.plus(g.times(centred, gain), g.reshape(shift, shape));
  }

  /** Outputs of the finished graph: the logits, and what training needs beside them. */
  finish(logits: string, labels: number, auxiliary: readonly string[]): void {
    const dims: readonly Dimension[] = ['batch', labels];
    this.graph.output(logits, dims);
    if (this.#purpose.kind !== 'training') return;
    for (const value of auxiliary) this.graph.output(value, dims);
    for (const { mean, variance, channels } of this.statistics) {
      this.graph.output(mean, [channels]);
      this.graph.output(variance, [channels]);
    }
  }
}

interface FloatTensor extends Tensor {
  readonly data: Float32Array;
}

function maxPool(g: GraphBuilder, x: string, window: readonly [number, number]): string {
  return g.op('MaxPool', [x], { kernel_shape: ints(window), strides: ints(window) });
}

function geometry(
  kernel: readonly [number, number],
  stride: readonly [number, number],
  pads: readonly [number, number] = [(kernel[0] - 1) >> 1, (kernel[1] - 1) >> 1],
): Attributes {
  return { kernel_shape: ints(kernel), strides: ints(stride), pads: ints([...pads, ...pads]) };
}

/**
 * Weights of a depthwise convolution that makes each pixel of a patch a channel, `[channels x side^2, 1, side, side]`: as a
 * transposition of six axes the same takes the runtime three times as long.
 */
function pixelsOfPatch(channels: number, side: number): Tensor {
  const pixels = side * side;
  const oneHot = new Float32Array(channels * pixels * pixels);
  for (let row = 0; row < channels * pixels; row++) oneHot[row * pixels + (row % pixels)] = 1;
  return float32(oneHot, [channels * pixels, 1, side, side]);
}

/** Input channels [from, to) of a pointwise weight `[channels, inputs, 1, 1]`. */
function columnsOf(weight: FloatTensor, from: number, to: number): Float32Array {
  const inputs = weight.dims[1] ?? 0;
  return weight.data.filter((_, index) => index % inputs >= from && index % inputs < to);
}

function weightOf(weights: Weights, name: string, shape: readonly number[]): Tensor {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new OnnxError(`weight '${name}' is missing; give every parameter of the victim`);
  if (tensor.dims.join() !== shape.join()) {
    throw new OnnxError(`weight '${name}' is [${tensor.dims.join(', ')}]; the victim needs [${shape.join(', ')}]`);
  }
  return tensor;
}

/** A convolution that does what the layer's convolution and normalisation do. */
function foldNormalisation(weights: Weights, layer: string): { weight: FloatTensor; bias: Tensor } {
  const get = (name: string) => {
    const tensor = weights.get(`${layer}.${name}`);
    if (!(tensor?.data instanceof Float32Array)) {
      throw new OnnxError(`float32 weight '${layer}.${name}' is missing; give parameters and running statistics`);
    }
    return { dims: tensor.dims, data: tensor.data };
  };
  const weight = get('weight');
  const [scale, shift, mean, variance] = [get('scale').data, get('shift').data, get('mean').data, get('variance').data];
  const gain = scale.map((value, channel) => value / sqrt((variance[channel] ?? 0) + NORMALISATION_EPSILON));
  const each = weight.data.length / scale.length;
  return {
    weight: {
      dataType: 'float32',
      dims: weight.dims,
      data: weight.data.map((value, index) => value * (gain[Math.floor(index / each)] ?? 0)),
    },
    bias: float32(shift.map((value, channel) => value - (mean[channel] ?? 0) * (gain[channel] ?? 0))),
  };
}
