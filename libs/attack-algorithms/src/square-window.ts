import { int } from '@faultline/onnx';
import type { AttackVariable } from './attack.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** Axes of a variable along which a window is cut out; a waveform has one, frames [frames, 3, height, width] have three. */
export interface WindowAxis {
  readonly axis: number;
  readonly size: number;
}

/** Random numbers of a window, each uniform in [-1, 1): a position for each axis, a sign for each channel, a direction, a share. */
export const WINDOW_NOISE = 8;
const FIRST_SIGN = 3;
const DIRECTION = 6;
const SHARE = 7;

const CHANNEL_AXIS = 1;

/** Waveforms are [samples]; frames are [frames, 3, height, width]. */
const isFrames = ({ dims }: AttackVariable) => dims.length === 4;

export function windowAxes(variable: AttackVariable): readonly WindowAxis[] {
  const axes = variable.dims.map((size, axis) => ({ axis, size }));
  return isFrames(variable) ? axes.filter(({ axis }) => axis !== CHANNEL_AXIS) : axes;
}

/**
 * Sizes of a window that holds this share of the coordinates, in the order of `windowAxes`: a segment of a waveform, or squares in a run of
 * frames, of which both the run and the square shrink. Each is at least 1, segments and squares at least `smallest` where there is room.
 */
export function windowSizes(variable: AttackVariable, share: number, smallest = 1): readonly number[] {
  const within = (size: number, least: number, most: number) => Math.min(most, Math.max(least, Math.round(size)));
  const limited = (size: number, most: number) => within(size, smallest, most);
  if (!isFrames(variable)) return [limited(share * (variable.dims[0] ?? 1), variable.dims[0] ?? 1)];
  const [frames = 1, , height = 1, width = 1] = variable.dims;
  const run = within(frames * Math.cbrt(share), 1, frames);
  const side = Math.sqrt((share * frames * height * width) / run);
  return [run, limited(side, height), limited(side, width)];
}

/** Name of the parameter that holds the size of a window along an axis. */
export const sizeName = (variable: string, axis: number) => `window/${variable}/${axis}`;

/** A window of each example: where it is. */
export interface Window {
  /** 1 inside, 0 outside; broadcasts to [examples, ...dims]. */
  readonly inside: string;
  /** Largest distance from the window's middle over its axes, in coordinates; broadcasts. */
  readonly fromMiddle: string;
  /** Half its size, along the axis where that is largest; broadcasts. */
  readonly half: string;
  /** -1 or 1 for each channel: [examples, 1, ...]. */
  readonly signs: string;
  /** -1 and 1 on the two halves of the window, along one of its axes; broadcasts. */
  readonly halves: string;
  /** Uniform in [0, 1): [examples, 1, ...]. */
  readonly share: string;
}

/** Number `index` of a window's noise, as [examples, 1, ...] with the variable's rank. */
function drawn(b: ProgramBuilder, slot: string, index: number, { dims }: AttackVariable): string {
  const column = b.slice(b.read(`noise/${slot}`, [WINDOW_NOISE]), [index], [index + 1], [1]);
  return b.reshape(column, [-1, ...dims.map(() => 1)]);
}

/** 1 where `value` is at least 0, else -1. */
const signOf = (b: ProgramBuilder, value: string) =>
  b.op('Where', [b.op('Less', [value, b.scalar(0)]), b.scalar(-1), b.scalar(1)]);

/** The window that noise/`slot` and the size parameters say. */
export function readWindow(b: ProgramBuilder, slot: string, variable: AttackVariable): Window {
  const { name, dims } = variable;
  const rank = dims.length;
  const ones = dims.map(() => 1);
  const axes = windowAxes(variable).map(({ axis, size }, index) => {
    const length = b.spread(b.read(`param/${sizeName(name, axis)}`), dims);
    const places = b.plus(b.minus(b.scalar(size), length), b.scalar(1));
    const share = b.times(b.plus(drawn(b, slot, index, variable), b.scalar(1)), b.scalar(0.5));
    // Float32 may round a product just below the number of places up to it.
    const start = b.op('Min', [b.op('Floor', [b.times(share, places)]), b.minus(places, b.scalar(1))]);
    const positions = b.reshape(b.positions(size), [1, ...ones.map((one, at) => (at === axis ? size : one))]);
    const inside = b.op('And', [
      b.op('GreaterOrEqual', [positions, start]),
      b.op('Less', [positions, b.plus(start, length)]),
    ]);
    const half = b.times(b.minus(length, b.scalar(1)), b.scalar(0.5));
    const offset = b.minus(b.minus(positions, start), half);
    return { inside: b.op('Cast', [inside], { to: int(1) }), offset, half, distance: b.op('Abs', [offset]) };
  });
  const [first] = axes;
  if (first === undefined) throw new RangeError(`variable '${name}' has no axis for a window`);
  const larger = (values: readonly string[]) => values.reduce((one, other) => b.op('Max', [one, other]));
  const channels = isFrames(variable)
    ? b.op(
        'Concat',
        [0, 1, 2].map((channel) => drawn(b, slot, FIRST_SIGN + channel, variable)),
        {
          axis: int(1 + CHANNEL_AXIS),
        },
      )
    : drawn(b, slot, FIRST_SIGN, variable);
  // Frames are halved along height or width, as drawn; waveforms have one axis.
  const along = axes.length === 1 ? [first, first] : axes.slice(-2);
  const turned = b.op('Less', [drawn(b, slot, DIRECTION, variable), b.scalar(0)]);
  const halves = b.op('Where', [turned, signOf(b, along[0]?.offset ?? ''), signOf(b, along[1]?.offset ?? '')]);
  if (rank === 0) throw new RangeError(`variable '${name}' has no axes`);
  return {
    inside: axes.map((axis) => axis.inside).reduce((one, other) => b.times(one, other)),
    fromMiddle: larger(axes.map(({ distance }) => distance)),
    half: larger(axes.map(({ half }) => half)),
    signs: signOf(b, channels),
    halves,
    share: b.times(b.plus(drawn(b, slot, SHARE, variable), b.scalar(1)), b.scalar(0.5)),
  };
}
