import { int, intAttribute, ints } from '@faultline/onnx';
import { type Dims, fixedSize, range, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { tapOffset, type WindowAxis, windowOf } from './window.ts';

/**
 * Along one axis, input position n = stride a + phase receives tap t from output o = a + shift(t), where
 * stride o + dilation t - pad = n. Each tap belongs to one phase; so the input gradient of a strided convolution is one
 * convolution of the output gradient at low resolution with `stride` times the channels, interleaved afterwards
 * (the sub-pixel form, Shi et al. 2016). At stride 1 it is the convolution with flipped weights.
 */
interface Phases {
  /** For each phase and window position, the tap found there, or -1. */
  readonly taps: readonly number[];
  /** Size of the window over the output gradient. */
  readonly width: number;
  readonly dilation: number;
  /** Zeros to put around the output gradient; negative amounts crop. */
  readonly padBefore: number;
  readonly padAfter: number;
  /** Positions computed for each phase. */
  readonly positions: number;
}

const remainder = (value: number, modulus: number) => ((value % modulus) + modulus) % modulus;

function phasesOf(window: WindowAxis): Phases {
  const { kernel, stride, dilation, inputSize, outputSize } = window;
  const positions = Math.ceil(inputSize / stride);
  // Unstrided: the dilation stays an attribute instead of zeros in the weights.
  const spread = stride === 1 ? dilation : 1;
  const placed = range(0, kernel).map((tap) => {
    const offset = tapOffset(window, tap);
    const phase = remainder(offset, stride);
    return { tap, phase, shift: (phase - offset) / stride };
  });
  const first = Math.min(...placed.map(({ shift }) => shift));
  const last = Math.max(...placed.map(({ shift }) => shift));
  const width = (last - first) / spread + 1;
  const taps = new Array<number>(stride * width).fill(-1);
  for (const { tap, phase, shift } of placed) taps[phase * width + (shift - first) / spread] = tap;
  return {
    taps,
    width,
    dilation: spread,
    padBefore: -first,
    padAfter: positions + last - outputSize,
    positions,
  };
}

/** Weights [outputs, inputs / groups, ...kernel] as those of the input gradient: [inputs x phases, outputs / groups, ...widths]. */
function gradientWeights(c: RuleContext, groups: number, windows: readonly WindowAxis[], phases: readonly Phases[]) {
  const { e } = c;
  let w = c.input(1);
  const outputs = fixedSize(w.dims, 0, 'weights of Conv') / groups;
  const inputs = fixedSize(w.dims, 1, 'weights of Conv');
  for (const [i, { taps }] of phases.entries()) w = e.arrange(w, i + 2, taps);
  const split = phases.flatMap(({ width }, i) => [windows[i]?.stride ?? 1, width]);
  w = e.reshape(w, [groups, outputs, inputs, ...split]);
  const strideAxes = phases.map((_, i) => 3 + 2 * i);
  w = e.transpose(w, [0, 2, ...strideAxes, 1, ...strideAxes.map((axis) => axis + 1)]);
  const strides = windows.reduce((total, { stride }) => total * stride, 1);
  return e.reshape(w, [groups * inputs * strides, outputs, ...phases.map(({ width }) => width)]);
}

function inputGradient(c: RuleContext): Value {
  const { e } = c;
  const x = c.input(0);
  const groups = intAttribute(c.node, 'group', 1);
  const windows = windowOf(c, kernelOf(c));
  const phases = windows.map(phasesOf);
  const crops = phases.map(({ padBefore, padAfter }, i) => ({
    axis: i + 2,
    before: Math.min(0, padBefore),
    after: Math.min(0, padAfter),
  }));
  const g = e.pad(c.grad(), crops);
  const weights = gradientWeights(c, groups, windows, phases);
  const [batch = 1, channels = 1] = x.dims;
  const made = e.node(
    'Conv',
    [g, weights],
    [batch, weights.dims[0] ?? 1, ...phases.map(({ positions }) => positions)],
    {
      group: int(groups),
      dilations: ints(phases.map(({ dilation }) => dilation)),
      pads: ints([
        ...phases.map(({ padBefore }) => Math.max(0, padBefore)),
        ...phases.map(({ padAfter }) => Math.max(0, padAfter)),
      ]),
    },
  );
  return interleave(c, made, [batch, channels], windows, phases);
}

/** [batch, channels x strides, ...positions] -> [batch, channels, ...input sizes] */
function interleave(
  c: RuleContext,
  value: Value,
  leading: Dims,
  windows: readonly WindowAxis[],
  phases: readonly Phases[],
): Value {
  const { e } = c;
  if (windows.every(({ stride }) => stride === 1)) return value;
  const rank = windows.length;
  const positions = phases.map(({ positions }) => positions);
  const split = e.reshape(value, [...leading, ...windows.map(({ stride }) => stride), ...positions]);
  const mixed = e.transpose(split, [0, 1, ...range(0, rank).flatMap((i) => [2 + rank + i, 2 + i])]);
  const merged = e.reshape(mixed, [...leading, ...windows.map(({ stride }, i) => stride * (positions[i] ?? 1))]);
  return e.slice(
    merged,
    windows.map(({ axis, inputSize }) => ({ axis, start: 0, count: inputSize })),
  );
}

/**
 * All taps of the padded input side by side on the channel axis, one batched product with the output gradient, summed
 * over the batch.
 */
function weightGradient(c: RuleContext): Value {
  const { e } = c;
  const [x, w, g] = [c.input(0), c.input(1), c.grad()];
  const groups = intAttribute(c.node, 'group', 1);
  const windows = windowOf(c, kernelOf(c));
  const outputs = fixedSize(w.dims, 0, 'weights of Conv') / groups;
  const inputs = fixedSize(w.dims, 1, 'weights of Conv');
  const places = windows.reduce((total, { outputSize }) => total * outputSize, 1);
  const [batch = 1] = x.dims;
  const padded = e.pad(
    x,
    windows.map(({ axis, padBefore, padAfter }) => ({ axis, before: padBefore, after: padAfter })),
  );
  const grouped = groups === 1 ? [batch] : [batch, groups];
  const columns = taps(windows).map((tap) => {
    const shifted = e.slice(
      padded,
      windows.map(({ axis, stride, dilation, outputSize }, i) => ({
        axis,
        start: (tap[i] ?? 0) * dilation,
        step: stride,
        count: outputSize,
      })),
    );
    return e.reshape(shifted, [...grouped, inputs, places]);
  });
  const stacked = e.concat(columns, grouped.length);
  const gradient = e.transposeLast(e.reshape(g, [...grouped, outputs, places]));
  const summed = e.reduceSum(e.matmul(stacked, gradient), [0], false);
  const kernel = windows.map(({ kernel }) => kernel);
  const split = e.reshape(summed, [groups, ...kernel, inputs, outputs]);
  const rank = kernel.length;
  const ordered = e.transpose(split, [0, rank + 2, rank + 1, ...range(1, rank + 1)]);
  return e.reshape(ordered, w.dims);
}

/** All kernel positions, last axis fastest. */
const taps = (windows: readonly WindowAxis[]): number[][] =>
  windows.reduce<number[][]>(
    (all, { kernel }) => all.flatMap((before) => range(0, kernel).map((tap) => [...before, tap])),
    [[]],
  );

const kernelOf = (c: RuleContext) =>
  range(2, c.input(1).dims.length).map((axis) => fixedSize(c.input(1).dims, axis, 'weights of Conv'));

export const convolution: Rule = (c) => [
  () => inputGradient(c),
  () => weightGradient(c),
  () => c.e.reduceSum(c.grad(), [0, ...range(2, c.grad().dims.length)], false),
];
