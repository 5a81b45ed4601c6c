import { elementCount, float32, int, intAttribute } from '@faultline/onnx';
import { type Dims, fixedSize, product, range, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { channelsOf, inputGradientOf, isTrivial } from './input-gradient.ts';
import { isDynamic, type WindowAxis, windowAttributes, windowOf } from './window.ts';

const inputGradient = (c: RuleContext): Value =>
  inputGradientOf({
    c,
    g: c.grad(),
    w: c.input(1),
    windows: windowOf(c, kernelOf(c)),
    groups: intAttribute(c.node, 'group', 1),
    dims: c.input(0).dims,
  });

/**
 * What each tap of the kernel sees at each output: [batch, channels x taps, outputs], the taps of a channel side by side.
 * A depthwise convolution with one-hot weights; as fast as slicing unstrided, twice as fast strided.
 */
function columns({ e }: RuleContext, x: Value, windows: readonly WindowAxis[], outputs: Dims): Value {
  const channels = fixedSize(x.dims, 1, 'input of Conv');
  const kernel = windows.map((window) => window.kernel);
  const taps = elementCount(kernel);
  const [batch = 1] = x.dims;
  if (windows.every(isTrivial)) return e.reshape(x, [batch, channels, product(outputs)]);
  const weights = e.cast(
    e.shared(`one-hot ${channels} x ${kernel}`, () => {
      const oneHot = new Float32Array(channels * taps * taps);
      for (let row = 0; row < channels * taps; row++) oneHot[row * taps + (row % taps)] = 1;
      return float32(oneHot, [channels * taps, 1, ...kernel]);
    }),
    x.dataType,
  );
  const seen = e.node('Conv', [x, weights], [batch, channels * taps, ...outputs], {
    group: int(channels),
    ...windowAttributes(windows),
  });
  return e.reshape(seen, [batch, channels * taps, product(outputs)]);
}

/**
 * Outputs of a picture up to which one product over the whole batch beats a product for each picture, as measured on one and
 * two threads: at 2x2 outputs it takes a seventh to a quarter of the time, at 4x4 half to 1.3 times; at 8x8 the latter wins.
 */
const FEW_PLACES = 16;

/** `g` holds values at the windows' outputs. [channels of g, channels of x / groups, ...kernel]. */
function weightGradient(c: RuleContext, x: Value, g: Value, windows: readonly WindowAxis[]): Value {
  const outputs = windows.map(({ outputSize }) => outputSize);
  const few = elementCount(outputs) <= FEW_PLACES && !windows.some(isDynamic);
  const ungrouped = intAttribute(c.node, 'group', 1) === 1;
  return few && ungrouped ? gradientInOneProduct(c, x, g, windows) : gradientByPicture(c, x, g, windows);
}

/** Channels last: [channels of g, places of all pictures] times what each tap sees there, [places, taps x channels of x]. */
function gradientInOneProduct(c: RuleContext, x: Value, g: Value, windows: readonly WindowAxis[]): Value {
  const { e } = c;
  const w = c.input(1);
  const spatial = range(2, w.dims.length);
  const channelsLast = (value: Value) => e.transpose(value, [0, ...spatial, 1]);
  const rank = spatial.length + 1;
  const padded = e.pad(
    channelsLast(x),
    windows.map(({ axis, padBefore, padAfter }) => ({ axis: axis - 1, before: padBefore, after: padAfter })),
  );
  const taps = windows.reduce<number[][]>(
    (all, { kernel }) => all.flatMap((before) => range(0, kernel).map((tap) => [...before, tap])),
    [[]],
  );
  const seen = taps.map((tap) =>
    e.slice(
      padded,
      windows.map(({ axis, stride, dilation, outputSize }, i) => ({
        axis: axis - 1,
        start: (tap[i] ?? 0) * dilation,
        count: outputSize,
        step: stride,
      })),
    ),
  );
  const product = e.gemm(e.merge(channelsLast(g), 0, rank), e.merge(e.concat(seen, rank), 0, rank), true, false);
  const [outputs, inputs, ...kernel] = w.dims;
  const gradient = e.reshape(product, [outputs ?? 1, ...kernel, inputs ?? 1]);
  return e.transpose(gradient, [0, rank, ...range(1, rank)]);
}

/** One batched product of the columns of `x` with `g`, summed over the batch. */
function gradientByPicture(c: RuleContext, x: Value, g: Value, windows: readonly WindowAxis[]): Value {
  const { e } = c;
  const w = c.input(1);
  const groups = intAttribute(c.node, 'group', 1);
  const [outputs, inputs] = channelsOf(w, groups);
  const taps = elementCount(windows.map(({ kernel }) => kernel));
  const places = product(g.dims.slice(2));
  const [batch = 1] = g.dims;
  // A groups axis of size 1 would only lengthen the batched product's bookkeeping.
  const split = groups === 1 ? [batch] : [batch, groups];
  const seen = e.reshape(columns(c, x, windows, g.dims.slice(2)), [...split, inputs * taps, places]);
  const gradient = e.transposeLast(e.reshape(g, [...split, outputs, places]));
  const summed = e.reduceSum(e.matmul(seen, gradient), [0], false);
  return e.reshape(e.transposeLast(summed), w.dims);
}

const kernelOf = (c: RuleContext) =>
  range(2, c.input(1).dims.length).map((axis) => fixedSize(c.input(1).dims, axis, 'weights of Conv'));

/** Sum over everything but the channels. */
const biasGradient = (c: RuleContext): Value => c.e.reduceSum(c.grad(), [0, ...range(2, c.grad().dims.length)], false);

export const convolution: Rule = (c) => [
  () => inputGradient(c),
  () => weightGradient(c, c.input(0), c.grad(), windowOf(c, kernelOf(c))),
  () => biasGradient(c),
];

/** The adjoint of a convolution: its gradients are those of the convolution, with input and output in each other's place. */
export const transposedConvolution: Rule = (c) => {
  const windows = () => windowOf(c, kernelOf(c), c.output(), c.input(0));
  return [
    () => {
      const group = int(intAttribute(c.node, 'group', 1));
      return c.e.node('Conv', [c.grad(), c.input(1)], c.input(0).dims, { group, ...windowAttributes(windows()) });
    },
    () => weightGradient(c, c.grad(), c.input(0), windows()),
    () => biasGradient(c),
  ];
};
