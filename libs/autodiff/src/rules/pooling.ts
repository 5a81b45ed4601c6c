import { intAttribute, intsAttribute } from '@faultline/onnx';
import { range, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { kernelPositions, transposedAttributes, type WindowAxis, windowOf } from './window.ts';

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
  const sizes = windows.map(({ inputSize }) => inputSize);
  const examples = values.dims[0] ?? 1;
  const made = c.e.node('ConvTranspose', [values, weights], [examples, 1, ...sizes], transposedAttributes(windows));
  return c.e.reshape(made, c.input(0).dims);
};

/** Channels become examples: [batch x channels, 1, ...spatial]. */
const perChannel = (c: RuleContext, value: Value): Value => {
  const merged = c.e.merge(value, 0, 2);
  return c.e.reshape(merged, [merged.dims[0] ?? 1, 1, ...merged.dims.slice(1)]);
};

/** Every position in a window receives the gradient over the number of positions that count. */
export const averagePool: Rule = (c) => [
  () => {
    const windows = poolWindows(c);
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
    const kernel = windows.map((window) => window.kernel);
    const size = kernel.reduce((product, length) => product * length, 1);
    return putBack(c, windows, perChannel(c, share), filled(c, [1, 1, ...kernel], new Array<number>(size).fill(1)));
  },
];

/**
 * Kink: positions of a window that tie share the gradient equally. Each tap of the window is compared with the maximum;
 * no slower than scattering to the indices that MaxPool can output, which take the runtime's slow path.
 */
export const maxPool: Rule = (c) => [
  () => {
    const { e } = c;
    const windows = poolWindows(c);
    const [x, y] = [c.input(0), c.output()];
    const reach = ({ stride, outputSize, dilation, kernel }: WindowAxis) =>
      stride * (outputSize - 1) + dilation * (kernel - 1) + 1;
    const padded = e.pad(
      x,
      windows.map((window) => ({
        axis: window.axis,
        before: window.padBefore,
        after: Math.max(0, reach(window) - window.padBefore - window.inputSize),
      })),
      Number.NEGATIVE_INFINITY,
    );
    const positions = kernelPositions(windows);
    const chosen = positions.map((position) => {
      const seen = e.slice(
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
