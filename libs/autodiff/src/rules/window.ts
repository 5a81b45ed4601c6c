import { type Attributes, describeNode, ints, intsAttribute, OnnxError, stringAttribute } from '@faultline/onnx';
import { fixedSize, range, type Value } from '../dims.ts';
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
  readonly inputSize: number;
  readonly outputSize: number;
}

/**
 * The windows of a Conv or pooling node, explicit padding computed from auto_pad. Spatial axes must be of fixed size.
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
    const inputSize = fixedSize(seen.dims, axis, what);
    const outputSize = fixedSize(made.dims, axis, what);
    let [padBefore, padAfter] = [pads?.[i] ?? 0, pads?.[i + rank] ?? 0];
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      const total = Math.max(0, (outputSize - 1) * stride + (kernel - 1) * dilation + 1 - inputSize);
      padBefore = autoPad === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
      padAfter = total - padBefore;
    } else if (autoPad !== 'NOTSET' && autoPad !== 'VALID') throw new OnnxError(`${what}: unknown auto_pad ${autoPad}`);
    return { axis, kernel, stride, dilation, padBefore, padAfter, inputSize, outputSize };
  });
}

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

/** All kernel positions, last axis fastest. */
export const kernelPositions = (windows: readonly WindowAxis[]): number[][] =>
  windows.reduce<number[][]>(
    (all, { kernel }) => all.flatMap((before) => range(0, kernel).map((tap) => [...before, tap])),
    [[]],
  );
