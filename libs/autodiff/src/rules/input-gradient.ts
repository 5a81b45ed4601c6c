import { int, ints } from '@faultline/onnx';
import { type Dims, fixedSize, range, type Value } from '../dims.ts';
import type { RuleContext } from '../rule.ts';
import { phasedInputGradient, phasesAreFaster } from './phases.ts';
import { backOnto, isDynamic, type WindowAxis } from './window.ts';

/** A convolution's input gradient as a problem of its own: sizes may be merged, so it need not be the node's. */
export interface InputGradient {
  readonly c: RuleContext;
  /** Gradient of the output, [batch, groups x outputs, ...]. */
  readonly g: Value;
  /** [groups x outputs, inputs, ...kernel] */
  readonly w: Value;
  readonly windows: readonly WindowAxis[];
  readonly groups: number;
  /** Shape of the gradient: that of the convolution's input. */
  readonly dims: Dims;
}

/** Where every stride is 1: a convolution of the output gradient with flipped, transposed weights. */
function unstridedInputGradient(problem: InputGradient): Value {
  const { c, w, windows, groups } = problem;
  const { e } = c;
  const kernel = windows.map((window) => window.kernel);
  const [outputs, inputs] = channelsOf(w, groups);
  const grouped = e.reshape(w, [groups, outputs, inputs, ...kernel]);
  const spatial = range(3, 3 + kernel.length);
  const weights = e.reshape(e.transpose(grouped, [0, 2, 1, ...spatial], spatial), [
    groups * inputs,
    outputs,
    ...kernel,
  ]);
  const pads = windows.map(({ kernel, dilation, padBefore, padAfter }) => {
    const reach = (kernel - 1) * dilation;
    return { before: reach - padBefore, after: reach - padAfter };
  });
  return paddedConvolution(problem, weights, windows, pads, problem.dims);
}

/** A convolution of the output gradient; negative padding crops, for Conv takes none. */
export function paddedConvolution(
  { c: { e }, g, groups }: InputGradient,
  weights: Value,
  windows: readonly { readonly axis: number; readonly dilation: number }[],
  pads: readonly { readonly before: number; readonly after: number }[],
  dims: Dims,
): Value {
  const cropped = e.pad(
    g,
    pads.map(({ before, after }, i) => ({
      axis: windows[i]?.axis ?? 0,
      before: Math.min(0, before),
      after: Math.min(0, after),
    })),
  );
  return e.node('Conv', [cropped, weights], dims, {
    group: int(groups),
    dilations: ints(windows.map(({ dilation }) => dilation)),
    pads: ints([...pads.map(({ before }) => Math.max(0, before)), ...pads.map(({ after }) => Math.max(0, after))]),
  });
}

/** Whether a window sees one position at each output, in order. */
export const isTrivial = ({ kernel, stride, padBefore, padAfter }: WindowAxis) =>
  kernel === 1 && stride === 1 && padBefore === 0 && padAfter === 0;

/**
 * A convolution over three axes whose kernel is 1 along some of them is one over two axes: leading axes become part of the
 * batch, trailing ones one axis. The runtime has fast kernels for two axes only: measured, ConvTranspose then takes a sixth
 * to a half of the time, Conv nine tenths.
 */
export function inputGradientOf(problem: InputGradient): Value {
  const { c, g, w, windows, dims } = problem;
  const { e } = c;
  if (windows.length !== 3 || windows.some(isDynamic)) return chosenForm(problem);
  const [batch = 1, channels = 1, ...sizes] = g.dims;
  const [outputs = 1, inputs = 1, ...kernel] = w.dims;
  const [, made = 1, ...area] = dims;
  if (windows.slice(1).every(isTrivial)) {
    const [first] = windows;
    const [, second = 1, third = 1] = sizes.map(Number);
    if (first === undefined) return chosenForm(problem);
    const merged = { ...trivialAxis(second * third), axis: 3 };
    const flat = chosenForm({
      ...problem,
      g: e.reshape(g, [batch, channels, sizes[0] ?? 1, second * third]),
      w: e.reshape(w, [outputs, inputs, kernel[0] ?? 1, 1]),
      windows: [first, merged],
      dims: [batch, made, first.inputSize, second * third],
    });
    return e.reshape(flat, dims);
  }
  const [first, ...rest] = windows;
  if (first !== undefined && isTrivial(first)) {
    const swap = [0, 2, 1, 3, 4];
    const frames = e.transpose(g, swap);
    const merged = e.merge(frames, 0, 2);
    const pictures = chosenForm({
      ...problem,
      g: merged,
      w: e.reshape(w, [outputs, inputs, ...kernel.slice(1)]),
      windows: rest.map((window) => ({ ...window, axis: window.axis - 1 })),
      dims: [merged.dims[0] ?? 1, made, ...area.slice(1)],
    });
    return e.transpose(e.reshape(pictures, [batch, first.inputSize, made, ...area.slice(1)]), swap);
  }
  return chosenForm(problem);
}

const trivialAxis = (size: number) => ({
  kernel: 1,
  stride: 1,
  dilation: 1,
  padBefore: 0,
  padAfter: 0,
  inputSize: size,
  outputSize: size,
});

/** The form that was measured to be the fastest for shapes of this class; a table, so that results stay the same bit by bit. */
function chosenForm(problem: InputGradient): Value {
  const { c, g, w, windows, groups } = problem;
  if (windows.every(({ stride }) => stride === 1)) return unstridedInputGradient(problem);
  if (phasesAreFaster(problem)) return phasedInputGradient(problem);
  return backOnto(c, windows, { values: g, weights: w, group: groups }, problem.dims, c.input(0));
}

/** Output channels and input channels of one group. */
export const channelsOf = (w: Value, groups: number): [outputs: number, inputs: number] => [
  fixedSize(w.dims, 0, 'weights of Conv') / groups,
  fixedSize(w.dims, 1, 'weights of Conv'),
];
