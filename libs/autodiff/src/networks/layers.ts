import { type Attributes, elementCount, float32, GraphBuilder, int, ints, type Tensor } from '@faultline/onnx';

/** Irregular numbers in [-1, 1), the same for the same seed. */
export const irregular = (dims: readonly number[], seed: number, scale = 1): Tensor =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => {
      const wave = Math.sin(i * 12.9898 + seed * 78.233) * 43758.5453;
      return scale * (2 * (wave - Math.floor(wave)) - 1);
    }),
    dims,
  );

const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);

/** Layers as exporters write them, with irregular weights of a scale that keeps activations near 1. */
export class Layers {
  readonly b = new GraphBuilder();
  #seed = 1;

  weights(dims: readonly number[], fanIn = product(dims.slice(1))): string {
    return this.b.constant(irregular(dims, this.#seed++, Math.sqrt(3 / fanIn)));
  }

  /** A vector around a number. */
  vector(size: number, around: number): string {
    const { data } = irregular([size], this.#seed++, 0.3);
    return this.b.constant(float32(Float32Array.from(data as Float32Array, (value) => value + around)));
  }

  conv(
    x: string,
    [inputs, outputs]: readonly [number, number],
    kernel: readonly number[],
    options: { readonly stride?: number; readonly group?: number; readonly pad?: number } = {},
  ): string {
    const { stride = 1, group = 1, pad = Math.floor((kernel[0] ?? 1) / 2) } = options;
    const attributes: Attributes = {
      kernel_shape: ints(kernel),
      strides: ints(kernel.map(() => stride)),
      pads: ints([...kernel, ...kernel].map((size) => (size === 1 ? 0 : pad))),
      dilations: ints(kernel.map(() => 1)),
      group: int(group),
    };
    return this.b.op(
      'Conv',
      [x, this.weights([outputs, inputs / group, ...kernel]), this.vector(outputs, 0)],
      attributes,
    );
  }

  batchNorm(x: string, channels: number): string {
    const [scale, shift, mean, variance] = [1, 0, 0, 1].map((around) => this.vector(channels, around));
    return this.b.op('BatchNormalization', [x, scale ?? '', shift ?? '', mean ?? '', variance ?? '']);
  }

  layerNorm(x: string, width: number): string {
    return this.b.op('LayerNormalization', [x, this.vector(width, 1), this.vector(width, 0)], { axis: int(-1) });
  }

  linear(x: string, inputs: number, outputs: number): string {
    return this.b.plus(this.b.matmul(x, this.weights([inputs, outputs], inputs)), this.vector(outputs, 0));
  }

  gemm(x: string, inputs: number, outputs: number): string {
    return this.b.op('Gemm', [x, this.weights([outputs, inputs]), this.vector(outputs, 0)], { transB: int(1) });
  }

  /** Gelu as exporters wrote it before the operator came. */
  erfGelu(x: string): string {
    const { b } = this;
    const gate = b.plus(b.op('Erf', [b.over(x, b.scalar(Math.SQRT2))]), b.scalar(1));
    return b.times(b.times(x, gate), b.scalar(0.5));
  }

  clip(x: string, low: number, high: number): string {
    return this.b.op('Clip', [x, this.b.scalar(low), this.b.scalar(high)]);
  }

  pool(op: 'MaxPool' | 'AveragePool', x: string, size: readonly number[], stride: readonly number[] = size): string {
    return this.b.op(op, [x], { kernel_shape: ints(size), strides: ints(stride) });
  }

  /** Cross entropy of the first class, [batch]. */
  loss(logits: string): void {
    const { b } = this;
    const scores = b.op('LogSoftmax', [logits], { axis: int(-1) });
    const first = b.op('Gather', [scores, b.constant({ dataType: 'int64', dims: [], data: BigInt64Array.of(0n) })], {
      axis: int(1),
    });
    b.output(b.negate(first), ['batch'], 'float32', 'loss');
  }
}
