import { type Dimension, float32, GraphBuilder, ints, OnnxError, type Tensor } from '@faultline/onnx';
import type { ConvolutionSpec } from './specs.ts';

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

  /** A block: Relu(norm(conv(x))), padded so that a stride of 1 keeps the size and patches tile it. */
  convolution(layer: string, x: string, inputs: number, { channels, kernel, stride }: ConvolutionSpec): string {
    const [rows, columns] = kernel;
    const [down, right] = stride;
    const pad = (size: number, step: number) => (size === step ? 0 : (size - 1) >> 1);
    const attributes = {
      kernel_shape: ints(kernel),
      strides: ints(stride),
      pads: ints([pad(rows, down), pad(columns, right), pad(rows, down), pad(columns, right)]),
    };
    const weight = this.#declare(`${layer}.weight`, [channels, inputs, rows, columns], {
      kind: 'he',
      fanIn: inputs * rows * columns,
    });
    const scale = this.#declare(`${layer}.scale`, [channels], { kind: 'constant', value: 1 });
    const shift = this.#declare(`${layer}.shift`, [channels], { kind: 'constant', value: 0 });
    const g = this.graph;
    if (this.#purpose.kind === 'export') {
      const folded = foldNormalisation(this.#purpose.weights, layer);
      const operands = [x, g.constant(folded.weight, weight), g.constant(folded.bias, `${layer}.bias`)];
      return g.relu(g.op('Conv', operands, attributes));
    }
    for (const parameter of this.parameters.slice(-3)) g.input(parameter.name, parameter.shape);
    const y = g.op('Conv', [x, weight], attributes);
    return g.relu(this.#normalise(layer, y, channels, scale, shift));
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

  /** Batch normalisation (Ioffe & Szegedy, 2015) from primitives, so that its gradient needs no rule of its own. */
  #normalise(layer: string, y: string, channels: number, scale: string, shift: string): string {
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

function weightOf(weights: Weights, name: string, shape: readonly number[]): Tensor {
  const tensor = weights.get(name);
  if (tensor === undefined) throw new OnnxError(`weight '${name}' is missing; give every parameter of the victim`);
  if (tensor.dims.join() !== shape.join()) {
    throw new OnnxError(`weight '${name}' is [${tensor.dims.join(', ')}]; the victim needs [${shape.join(', ')}]`);
  }
  return tensor;
}

function foldNormalisation(weights: Weights, layer: string): { weight: Tensor; bias: Tensor } {
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
    weight: float32(
      weight.data.map((value, index) => value * (gain[Math.floor(index / each)] ?? 0)),
      weight.dims,
    ),
    bias: float32(shift.map((value, channel) => value - (mean[channel] ?? 0) * (gain[channel] ?? 0))),
  };
}
