import { int, intAttribute, intsAttribute } from '@faultline/onnx';
import { range, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';
import {
  backOnto,
  isDynamic,
  kernelPositions,
  reachOf,
  type WindowAxis,
  windowAttributes,
  windowOf,
} from './window.ts';

const poolWindows = (c: RuleContext): WindowAxis[] => windowOf(c, intsAttribute(c.node, 'kernel_shape') ?? []);

/** A constant of the input's type. */
const filled = (c: RuleContext, dims: readonly number[], data: readonly number[]): Value =>
  c.e.floating(Float64Array.from(data), dims, c.input(0).dataType);

/** Number of positions that count in the window at each output along one axis. */
function counts(c: RuleContext, window: WindowAxis): number[] {
  const { kernel, stride, dilation, padBefore, padAfter, inputSize, outputSize } = window;
  const padded = intAttribute(c.node, 'count_include_pad', 0) === 1;
  const [low, high] = padded ? [-padBefore, inputSize + padAfter] : [0, inputSize];
  return range(0, outputSize).map((output) => {
    const at = (tap: number) => output * stride - padBefore + tap * dilation;
    return range(0, kernel).filter((tap) => at(tap) >= low && at(tap) < high).length;
  });
}

/**
 * Adds values [examples, taps, ...outputs] at the positions that each tap reads, for every channel alike:
 * [examples, ...inputs], as one transposed convolution with weights [taps, 1, ...kernel].
 */
const putBack = (c: RuleContext, windows: readonly WindowAxis[], values: Value, weights: Value): Value => {
  const x = c.input(0);
  const dims = [values.dims[0] ?? 1, 1, ...x.dims.slice(2)];
  return c.e.reshape(backOnto(c, windows, { values, weights, group: 1 }, dims, x), x.dims, x);
};

/** Channels become examples: [batch x channels, 1, ...spatial]. */
const perChannel = (c: RuleContext, value: Value): Value => {
  const merged = c.e.merge(value, 0, 2);
  return c.e.reshape(merged, [merged.dims[0] ?? 1, 1, ...merged.dims.slice(1)]);
};

/** The gradient over the number of positions that count, where that number is known only at run time. */
function dynamicShare(c: RuleContext, windows: readonly WindowAxis[], ones: Value): Value {
  const { e } = c;
  const [x, y] = [c.input(0), c.output()];
  if (intAttribute(c.node, 'ceil_mode', 0) === 1) throw c.fail('rounded up, it needs spatial axes of fixed size');
  const isPadded = windows.some(({ padBefore, padAfter }) => padBefore > 0 || padAfter > 0);
  if (!isPadded || intAttribute(c.node, 'count_include_pad', 0) === 1)
    return e.scale(c.grad(), 1 / windows.reduce((product, { kernel }) => product * kernel, 1));
  const one = e.scalar(1, x.dataType);
  const shape = e.node(
    'Concat',
    [e.integers([1, 1]), ...windows.map(({ axis }) => e.sizeAlong(x, axis))],
    [x.dims.length],
    { axis: int(0) },
    'int64',
  );
  const inside = e.node('Expand', [one, shape], [1, 1, ...x.dims.slice(2)]);
  const counts = e.node('Conv', [inside, ones], [1, 1, ...y.dims.slice(2)], windowAttributes(windows));
  return e.divide(c.grad(), counts);
}

/** Every position in a window receives the gradient over the number of positions that count. */
export const averagePool: Rule = (c) => [
  () => {
    const windows = poolWindows(c);
    const kernel = windows.map((window) => window.kernel);
    const size = kernel.reduce((product, length) => product * length, 1);
    const ones = filled(c, [1, 1, ...kernel], new Array<number>(size).fill(1));
    if (windows.some(isDynamic)) return putBack(c, windows, perChannel(c, dynamicShare(c, windows, ones)), ones);
    const perAxis = windows.map((window) => counts(c, window));
    const total = perAxis.reduce<number[]>(
      (all, axis) => all.flatMap((count) => axis.map((more) => count * more)),
      [1],
    );
    const [first = 1] = total;
    const uniform = total.every((count) => count === first);
    const share = uniform
      ? c.e.scale(c.grad(), 1 / first)
      : c.e.multiply(
          c.grad(),
          filled(
            c,
            windows.map(({ outputSize }) => outputSize),
            total.map((count) => 1 / count),
          ),
        );
    return putBack(c, windows, perChannel(c, share), ones);
  },
];

/** What a MaxPool reads behind its input. */
function paddingBehind(c: RuleContext, window: WindowAxis): number {
  const { stride, outputSize, padBefore, padAfter, inputSize } = window;
  if (!isDynamic(window)) return Math.max(0, stride * (outputSize - 1) + reachOf(window) - padBefore - inputSize);
  return padAfter + (intAttribute(c.node, 'ceil_mode', 0) === 1 ? stride - 1 : 0);
}

/** What one tap of the windows along one axis sees, whatever its size. */
function seenBy(c: RuleContext, padded: Value, { axis, stride, dilation }: WindowAxis, tap: number): Value {
  const { e } = c;
  const y = c.output();
  const start = tap * dilation;
  const last = e.subtract(e.sizeAlong(y, axis), e.integers([1]));
  const end = e.add(e.node('Mul', [last, e.integers([stride])], [1]), e.integers([start + 1]));
  return e.between(padded, axis, { start: e.integers([start]), end, size: y.dims[axis] ?? 1, step: stride });
}

/**
 * Kink: positions of a window that tie share the gradient equally. Each tap of the window is compared with the maximum;
 * no slower than scattering to the indices that MaxPool can output, which take the runtime's slow path.
 */
export const maxPool: Rule = (c) => [
  () => {
    const { e } = c;
    const windows = poolWindows(c);
    const [x, y] = [c.input(0), c.output()];
    const padded = e.pad(
      x,
      windows.map((window) => ({ axis: window.axis, before: window.padBefore, after: paddingBehind(c, window) })),
      Number.NEGATIVE_INFINITY,
    );
    const positions = kernelPositions(windows);
    const chosen = positions.map((position) => {
      const seen = windows.some(isDynamic)
        ? windows.reduce((value, window, i) => seenBy(c, value, window, position[i] ?? 0), padded)
        : e.slice(
            padded,
            windows.map(({ axis, stride, dilation, outputSize }, i) => ({
              axis,
              start: (position[i] ?? 0) * dilation,
              step: stride,
              count: outputSize,
            })),
          );
      return e.cast(e.compare('Equal', seen, y), x.dataType);
    });
    const share = e.divide(c.grad(), e.sum(chosen));
    const stacked = e.concat(
      chosen.map((mask) => perChannel(c, e.multiply(share, mask))),
      1,
    );
    const taps = positions.length;
    const identity = range(0, taps * taps).map((i) => (Math.floor(i / taps) === i % taps ? 1 : 0));
    return putBack(c, windows, stacked, filled(c, [taps, 1, ...windows.map(({ kernel }) => kernel)], identity));
  },
];
