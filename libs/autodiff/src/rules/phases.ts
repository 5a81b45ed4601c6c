import { int, string } from '@faultline/onnx';
import { range, type Value } from '../dims.ts';
import { channelsOf, type InputGradient, paddedConvolution } from './input-gradient.ts';
import { isDynamic, type WindowAxis } from './window.ts';

/**
 * Shapes of strided convolutions for which phases beat ConvTranspose, as measured on one and two threads: small pictures,
 * where its matrices are too narrow, with many channels. At 2x2 outputs of 64 channels they take half the time, at 5x5
 * and 7x7 of 512 and 256 three quarters; at 4x4 of 128 and 14x14 of 256 they take a tenth longer, at 20x20 of 128 a fifth.
 */
const FASTER: readonly { readonly outputs: number; readonly channels: number }[] = [
  { outputs: 4, channels: 64 },
  { outputs: 49, channels: 256 },
];

/** Weights must be constant: arranging them at run time would cost more than it brings. */
export function phasesAreFaster({ c, w, windows, groups }: InputGradient): boolean {
  if (c.e.constantOf(w.name) === undefined) return false;
  const [first] = windows;
  const even = windows.every(
    ({ stride, kernel, dilation, inputSize }) =>
      stride === first?.stride && kernel >= stride && dilation === 1 && inputSize % stride === 0,
  );
  if (windows.length !== 2 || windows.some(isDynamic) || !even || groups !== 1) return false;
  const places = windows.reduce((count, { outputSize }) => count * outputSize, 1);
  const fewest = Math.min(...channelsOf(w, groups));
  return FASTER.some(({ outputs, channels }) => places <= outputs && fewest >= channels);
}

/** What one phase of an axis, the positions phase, phase + stride, ..., reads: taps of the kernel, and padding. */
interface Phase {
  /** Taps in the order of the positions that they read. */
  readonly taps: readonly number[];
  readonly before: number;
  readonly after: number;
}

/**
 * Position i = stride q + phase was read by output o through tap i + pad - stride o: of the taps, those that are (phase + pad) modulo
 * the stride, at outputs q + offset, q + offset - 1, ...
 */
function phasesOf({ kernel, stride, padBefore, inputSize, outputSize }: WindowAxis): Phase[] {
  return range(0, stride).map((phase) => {
    const first = (phase + padBefore) % stride;
    const offset = (phase + padBefore - first) / stride;
    const taps = range(0, kernel).filter((tap) => tap % stride === first);
    const before = taps.length - 1 - offset;
    return { taps: taps.toReversed(), before, after: inputSize / stride - outputSize + offset };
  });
}

/**
 * Strided: one small convolution for the positions of each phase, without the zeros between the output gradient's elements,
 * then interleaving. Sizes of the input are multiples of the stride.
 */
export function phasedInputGradient(problem: InputGradient): Value {
  const { c, w, windows, groups } = problem;
  const { e } = c;
  const [, inputs] = channelsOf(w, groups);
  const [rows, columns] = windows;
  if (rows === undefined || columns === undefined) throw c.fail('phases need two spatial axes');
  const swapped = e.transpose(w, [1, 0, 2, 3]);
  const [batch = 1, , ...sizes] = problem.dims;
  const area = sizes.map((size) => Number(size) / rows.stride);
  const parts = phasesOf(rows).flatMap((vertical) =>
    phasesOf(columns).map((horizontal) => {
      const weights = e.arrange(e.arrange(swapped, 2, vertical.taps), 3, horizontal.taps);
      return paddedConvolution(problem, weights, windows, [vertical, horizontal], [batch, inputs, ...area]);
    }),
  );
  const stacked = e.concat(parts, 1);
  return e.node('DepthToSpace', [stacked], problem.dims, { blocksize: int(rows.stride), mode: string('DCR') });
}
