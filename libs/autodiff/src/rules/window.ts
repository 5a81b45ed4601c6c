import {
  type Attributes,
  type AxisSize,
  describeNode,
  int,
  ints,
  intsAttribute,
  isBatchAxis,
  OnnxError,
  stringAttribute,
} from '@faultline/onnx';
import { combined, type Dims, range, type Value } from '../dims.ts';
import type { RuleContext } from '../rule.ts';

/** A sliding window along one spatial axis. */
export interface WindowAxis {
  /** Axis of the input, 2 or more. */
  readonly axis: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly padBefore: number;
  readonly padAfter: number;
  /** Not a number where the axis is not of fixed size; so is the output's. */
  readonly inputSize: number;
  readonly outputSize: number;
}

/** Whether the axis a window slides along is not of fixed size. */
export const isDynamic = ({ inputSize, outputSize }: WindowAxis): boolean =>
  Number.isNaN(inputSize) || Number.isNaN(outputSize);

/** How many elements the windows reach over, dilated. */
export const reachOf = ({ kernel, dilation }: WindowAxis): number => (kernel - 1) * dilation + 1;

/**
 * The windows of a Conv or pooling node, explicit padding computed from auto_pad.
 * (Those of a ConvTranspose slide over its output: `seen` and `made` change places.)
 */
export function windowOf(
  c: RuleContext,
  kernelShape: readonly number[],
  seen: Value = c.input(0),
  made: Value = c.output(),
): WindowAxis[] {
  const { node } = c;
  const what = `gradient of ${describeNode(node)}`;
  const given = stringAttribute(node, 'auto_pad', 'NOTSET');
  // A ConvTranspose that names its output's shape has the pads that this shape takes.
  const autoPad = given === 'NOTSET' && node.attributes.output_shape !== undefined ? 'SAME_LOWER' : given;
  const rank = kernelShape.length;
  const strides = intsAttribute(node, 'strides');
  const dilations = intsAttribute(node, 'dilations');
  const pads = autoPad === 'NOTSET' ? intsAttribute(node, 'pads') : undefined;
  return range(0, rank).map((i) => {
    const axis = i + 2;
    const [kernel, stride, dilation] = [kernelShape[i] ?? 1, strides?.[i] ?? 1, dilations?.[i] ?? 1];
    const [input = 1, output = 1] = [seen.dims[axis], made.dims[axis]];
    const [inputSize, outputSize] = [sizeOrNaN(input), sizeOrNaN(output)];
    let [padBefore, padAfter] = [pads?.[i] ?? 0, pads?.[i + rank] ?? 0];
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      const reach = (kernel - 1) * dilation + 1;
      const total = stride === 1 ? reach - 1 : Math.max(0, (outputSize - 1) * stride + reach - inputSize);
      if (Number.isNaN(total))
        throw new OnnxError(`${what}: auto_pad with a stride along axis ${axis}, which must then be of fixed size`);
      padBefore = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      padAfter = total - padBefore;
    } else if (autoPad !== 'NOTSET' && autoPad !== 'VALID') throw new OnnxError(`${what}: unknown auto_pad ${autoPad}`);
    return { axis, kernel, stride, dilation, padBefore, padAfter, inputSize, outputSize };
  });
}

const sizeOrNaN = (size: AxisSize): number => (isBatchAxis(size) ? Number.NaN : size);

/** Attributes of the Conv that these windows belong to. */
export const windowAttributes = (windows: readonly WindowAxis[]): Attributes => ({
  strides: ints(windows.map(({ stride }) => stride)),
  dilations: ints(windows.map(({ dilation }) => dilation)),
  pads: ints([...windows.map(({ padBefore }) => padBefore), ...windows.map(({ padAfter }) => padAfter)]),
});

/** Attributes of the ConvTranspose that maps values at the outputs of windows back onto exactly their inputs. */
export function transposedAttributes(windows: readonly WindowAxis[]): Attributes {
  const surplus = windows.map(
    ({ kernel, stride, dilation, padBefore, inputSize, outputSize }) =>
      stride * (outputSize - 1) + dilation * (kernel - 1) + 1 - padBefore - inputSize,
  );
  return {
    strides: ints(windows.map(({ stride }) => stride)),
    dilations: ints(windows.map(({ dilation }) => dilation)),
    pads: ints([...windows.map(({ padBefore }) => padBefore), ...surplus.map((size) => Math.max(0, size))]),
    output_padding: ints(surplus.map((size) => Math.max(0, -size))),
  };
}

/**
 * Adds values at the outputs of windows back at their inputs, weighed: the adjoint of the Conv that these windows belong to.
 * The result has `dims`, whose spatial axes are those of `like`.
 */
export function backOnto(
  { e }: RuleContext,
  windows: readonly WindowAxis[],
  { values, weights, group }: { readonly values: Value; readonly weights: Value; readonly group: number },
  dims: Dims,
  like: Value,
): Value {
  const groups: Attributes = group === 1 ? {} : { group: int(group) };
  if (!windows.some(isDynamic))
    return e.node('ConvTranspose', [values, weights], dims, { ...groups, ...transposedAttributes(windows) });
  // What lies beyond the input is cut off at run time; a remainder that no window reached is filled up beforehand.
  const fill = windows.map(({ stride, padAfter }) => Math.max(0, stride - 1 - padAfter));
  const made = windows.map((window, i) =>
    combined(
      [values.dims[window.axis] ?? 1],
      ([size = 0]) => window.stride * (size - 1) + reachOf(window) - window.padBefore + (fill[i] ?? 0),
    ),
  );
  const whole = e.node('ConvTranspose', [values, weights], [...dims.slice(0, 2), ...made], {
    ...groups,
    strides: ints(windows.map(({ stride }) => stride)),
    dilations: ints(windows.map(({ dilation }) => dilation)),
    pads: ints([...windows.map(({ padBefore }) => padBefore), ...windows.map(() => 0)]),
    output_padding: ints(fill),
  });
  return windows.reduce((value, { axis }) => {
    const end = e.sizeAlong(like, axis);
    return e.between(value, axis, { start: e.integers([0]), end, size: dims[axis] ?? 1 });
  }, whole);
}

/** All kernel positions, last axis fastest. */
export const kernelPositions = (windows: readonly WindowAxis[]): number[][] =>
  windows.reduce<number[][]>(
    (all, { kernel }) => all.flatMap((before) => range(0, kernel).map((tap) => [...before, tap])),
    [[]],
  );
