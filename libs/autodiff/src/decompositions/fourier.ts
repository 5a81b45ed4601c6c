import { int, intAttribute, integers, ints } from '@faultline/onnx';
import { fixedSize, normalAxes, range, type Value } from '../dims.ts';
import type { RuleContext } from '../rule.ts';
import type { Decomposition } from './decomposition.ts';

/** Largest matrix that stands for a Fourier transform: beyond, its memory would dwarf the model's. */
const MATRIX_LIMIT_BYTES = 64 * 2 ** 20;

function optionalNumber(c: RuleContext, i: number, what: string): number | undefined {
  if (!c.has(i)) return undefined;
  const constant = c.constant(i);
  if (constant === undefined) throw c.fail(`its ${what} (input ${i}) must be constant`);
  return integers(constant)[0];
}

/** Angle of element j at frequency k, reduced so that long transforms stay exact. */
const angle = (j: number, k: number, length: number) => (2 * Math.PI * ((j * k) % length)) / length;

/** A discrete Fourier transform is a product with a constant matrix: [elements x parts, frequencies x 2]. */
export const discreteFourier: Decomposition = (c) => {
  const { e } = c;
  const x = c.input(0);
  const rank = x.dims.length;
  const [axis = 0] = normalAxes([optionalNumber(c, 2, 'axis') ?? -2], rank);
  const inverse = intAttribute(c.node, 'inverse', 0) === 1;
  const oneSided = intAttribute(c.node, 'onesided', 0) === 1;
  if (inverse && oneSided) throw c.fail('the inverse of a one-sided transform has no rule');
  const count = fixedSize(x.dims, axis, `gradient of ${c.node.op}`);
  const complex = fixedSize(x.dims, rank - 1, `gradient of ${c.node.op}`) === 2;
  const length = optionalNumber(c, 1, 'length') ?? count;
  const frequencies = oneSided ? Math.floor(length / 2) + 1 : length;
  const [rows, columns] = [count * (complex ? 2 : 1), frequencies * 2];
  if (rows * columns * Float32Array.BYTES_PER_ELEMENT > MATRIX_LIMIT_BYTES) {
    throw c.fail(`a transform of ${length} elements is too long to be differentiated as a matrix product`);
  }
  const matrix = new Float64Array(rows * columns);
  for (let j = 0; j < Math.min(count, length); j++) {
    for (let k = 0; k < frequencies; k++) {
      const turn = (inverse ? 1 : -1) * angle(j, k, length);
      const size = inverse ? 1 / length : 1;
      const [real, imaginary] = [size * Math.cos(turn), size * Math.sin(turn)];
      const row = (complex ? 2 * j : j) * columns + 2 * k;
      matrix[row] = real;
      matrix[row + 1] = imaginary;
      if (complex) {
        matrix[row + columns] = -imaginary;
        matrix[row + columns + 1] = real;
      }
    }
  }
  // The transformed axis moves beside that of the parts.
  const order = [...range(0, rank - 1).filter((at) => at !== axis), axis, rank - 1];
  const moved = e.transpose(x, order);
  const flat = e.reshape(moved, [...moved.dims.slice(0, -2), rows], undefined);
  const product = e.matmul(flat, e.floating(matrix, [rows, columns], x.dataType));
  const split = e.reshape(product, [...moved.dims.slice(0, -2), frequencies, 2]);
  return [
    e.transpose(
      split,
      range(0, rank).map((at) => order.indexOf(at)),
    ),
  ];
};

/** A short-time Fourier transform of a real signal is a convolution: one filter for each frequency and part. */
export const shortTimeFourier: Decomposition = (c) => {
  const { e } = c;
  const signal = c.input(0);
  const [batch = 1, samples = 1, partsOfSignal = 1] = signal.dims;
  if (partsOfSignal !== 1) throw c.fail('complex signals have no rule');
  const hop = optionalNumber(c, 1, 'frame step') ?? 1;
  const window = c.has(2) ? c.input(2) : undefined;
  const length = optionalNumber(c, 3, 'frame length') ?? (window && fixedSize(window.dims, 0, 'window of STFT')) ?? 0;
  const frequencies = intAttribute(c.node, 'onesided', 1) === 1 ? Math.floor(length / 2) + 1 : length;
  const filters = new Float64Array(2 * frequencies * length);
  const weights = window && c.constant(2)?.data;
  const weightOf = (j: number) => (weights === undefined ? 1 : Number(weights[j] ?? 0));
  for (let k = 0; k < frequencies; k++) {
    for (let j = 0; j < length; j++) {
      filters[2 * k * length + j] = weightOf(j) * Math.cos(angle(j, k, length));
      filters[(2 * k + 1) * length + j] = -weightOf(j) * Math.sin(angle(j, k, length));
    }
  }
  let kernel: Value = e.floating(filters, [2 * frequencies, 1, length], signal.dataType);
  if (window !== undefined && weights === undefined) kernel = e.multiply(kernel, window);
  const [, frames = 1] = c.output().dims;
  const filtered = e.node('Conv', [e.reshape(signal, [batch, 1, samples]), kernel], [batch, 2 * frequencies, frames], {
    strides: ints([hop]),
    group: int(1),
  });
  return [e.reshape(e.transpose(filtered, [0, 2, 1]), [batch, frames, frequencies, 2])];
};
