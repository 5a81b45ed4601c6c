import { elementCount, float, float32, GraphBuilder, int, ints, type Tensor } from '@faultline/onnx';

/** A value and its number of channels. */
export interface Features {
  readonly value: string;
  readonly channels: number;
}

/** Form of a convolution; pads are those that a stride of 1 keeps the size with. */
export interface ConvolutionForm {
  readonly channels: number;
  readonly kernel: readonly number[];
  readonly stride?: readonly number[];
  readonly groups?: number;
}

/** Multiplier, increment of a 32-bit linear congruential generator (Numerical Recipes): weights need only look irregular. */
const LCG_MULTIPLIER = 1664525;
const LCG_INCREMENT = 1013904223;
const BATCH_NORMALIZATION_EPSILON = 1e-5;

/** Writes layers with random weights that keep the variance of what passes through them (He et al. 2015). */
export class RandomLayers {
  readonly graph = new GraphBuilder();
  #state = 1;

  #next(): number {
    this.#state = (Math.imul(this.#state, LCG_MULTIPLIER) + LCG_INCREMENT) >>> 0;
    return this.#state / 2 ** 32;
  }

  /** Numbers spread evenly about `mean`, with a standard deviation. */
  tensor(dims: readonly number[], deviation: number, mean = 0): Tensor {
    const reach = Math.sqrt(3) * deviation;
    const data = new Float32Array(elementCount(dims));
    for (let i = 0; i < data.length; i++) data[i] = mean + reach * (2 * this.#next() - 1);
    return float32(data, dims);
  }

  weights(dims: readonly number[], fanIn: number, gain = 2): string {
    return this.graph.constant(this.tensor(dims, Math.sqrt(gain / fanIn)));
  }

  vector(length: number, deviation: number, mean = 0): string {
    return this.graph.constant(this.tensor([length], deviation, mean));
  }

  /** A convolution without bias, as those before a normalisation are. */
  convolution(x: Features, { channels, kernel, stride, groups = 1 }: ConvolutionForm): Features {
    const inputs = x.channels / groups;
    const pads = kernel.map((size) => (size - 1) >> 1);
    const weights = this.weights([channels, inputs, ...kernel], inputs * elementCount(kernel));
    const value = this.graph.op('Conv', [x.value, weights], {
      kernel_shape: ints(kernel),
      strides: ints(stride ?? kernel.map(() => 1)),
      pads: ints([...pads, ...pads]),
      group: int(groups),
    });
    return { value, channels };
  }

  /** Batch normalisation by running statistics, as exporters write it. */
  normalization({ value, channels }: Features, gain = 1): Features {
    const operands = [
      value,
      this.vector(channels, 0.1 * gain, gain),
      this.vector(channels, 0.1),
      this.vector(channels, 0.1),
      this.vector(channels, 0.1, 1),
    ];
    const epsilon = float(BATCH_NORMALIZATION_EPSILON);
    return { value: this.graph.op('BatchNormalization', operands, { epsilon }), channels };
  }

  relu({ value, channels }: Features): Features {
    return { value: this.graph.relu(value), channels };
  }

  /** Relu(normalised convolution). */
  block(x: Features, form: ConvolutionForm): Features {
    return this.relu(this.normalization(this.convolution(x, form)));
  }

  /** Mean over all spatial axes, then a linear layer: logits [batch, labels]. */
  head(x: Features, labels: number): string {
    const pooled = this.graph.op('Flatten', [this.graph.op('GlobalAveragePool', [x.value])]);
    return this.dense({ value: pooled, channels: x.channels }, labels);
  }

  /** x W^T + b of a matrix, as exporters write it. */
  dense(x: Features, outputs: number): string {
    const weights = this.weights([outputs, x.channels], x.channels, 1);
    return this.graph.op('Gemm', [x.value, weights, this.vector(outputs, 0.1)], { transB: int(1) });
  }
}
