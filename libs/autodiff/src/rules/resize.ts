import { floatAttribute, floats, intAttribute, intsAttribute, isBatchAxis, stringAttribute } from '@faultline/onnx';
import { fixedSize, normalAxes, range, sameSize, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { gatherBack } from './indexing.ts';

/** One axis that a Resize changes. */
interface ResizedAxis {
  readonly axis: number;
  readonly from: number;
  readonly to: number;
  readonly scale: number;
  /** Part of the input that is read, in units of its size, where the mode crops. */
  readonly region: readonly [start: number, end: number];
}

/** What an output element reads: input elements and their weights. */
type Reads = readonly (readonly [source: number, weight: number])[];

/** Where output element `at` lies among the input's elements, by coordinate_transformation_mode of the operator. */
const COORDINATES: Readonly<Record<string, (at: number, axis: ResizedAxis) => number>> = {
  half_pixel: (at, { scale }) => (at + 0.5) / scale - 0.5,
  pytorch_half_pixel: (at, { scale, to }) => (to > 1 ? (at + 0.5) / scale - 0.5 : 0),
  align_corners: (at, { from, to }) => (to === 1 ? 0 : (at * (from - 1)) / (to - 1)),
  asymmetric: (at, { scale }) => at / scale,
  tf_half_pixel_for_nn: (at, { scale }) => (at + 0.5) / scale,
  half_pixel_symmetric: (at, { from, to, scale }) => {
    const adjustment = to / (scale * from);
    return (from / 2) * (1 - adjustment) + (at + 0.5) / scale - 0.5;
  },
  tf_crop_and_resize: (at, { from, to, region: [start, end] }) =>
    to > 1 ? start * (from - 1) + (at * (end - start) * (from - 1)) / (to - 1) : 0.5 * (start + end) * (from - 1),
};

/** The mode that reads a region, and a constant where the region leaves the input. */
const CROP = 'tf_crop_and_resize';

const NEAREST: Readonly<Record<string, (place: number) => number>> = {
  round_prefer_floor: (place) => Math.ceil(place - 0.5),
  round_prefer_ceil: (place) => Math.floor(place + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

const clamp = (index: number, size: number) => Math.min(Math.max(index, 0), size - 1);

/** Weight of an element at a distance: linear interpolation, or cubic convolution (Keys 1981). */
const triangle = (distance: number) => Math.max(0, 1 - Math.abs(distance));
const cubic = (a: number) => (distance: number) => {
  const d = Math.abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
};

function normalized(reads: Reads): Reads {
  const total = reads.reduce((sum, [, weight]) => sum + weight, 0);
  return reads.map(([source, weight]) => [source, weight / total]);
}

/** How the output elements of an axis are interpolated. */
function readsOf(c: RuleContext, resized: ResizedAxis): Reads[] {
  const mode = stringAttribute(c.node, 'mode', 'nearest');
  const coordinates = stringAttribute(c.node, 'coordinate_transformation_mode', 'half_pixel');
  const placeOf = COORDINATES[coordinates];
  if (placeOf === undefined) throw c.fail(`coordinate_transformation_mode '${coordinates}' has no rule`);
  const { from, to, scale } = resized;
  const places = range(0, to).map((at) => placeOf(at, resized));
  const isOutside = (place: number) => coordinates === CROP && (place < 0 || place > from - 1);
  if (mode === 'nearest') {
    const nearestMode = stringAttribute(c.node, 'nearest_mode', 'round_prefer_floor');
    const round = NEAREST[nearestMode];
    if (round === undefined) throw c.fail(`nearest_mode '${nearestMode}' has no rule`);
    return places.map((place) => (isOutside(place) ? [] : [[clamp(round(place), from), 1]]));
  }
  if (mode !== 'linear' && mode !== 'cubic') throw c.fail(`mode '${mode}' has no rule`);
  const weigh = mode === 'linear' ? triangle : cubic(floatAttribute(c.node, 'cubic_coeff_a', -0.75));
  const reach = mode === 'linear' ? 1 : 2;
  const exclude = intAttribute(c.node, 'exclude_outside', 0) === 1;
  const widened = intAttribute(c.node, 'antialias', 0) === 1 && scale < 1;
  return places.map((given) => {
    if (isOutside(given)) return [];
    // With antialiasing the filter widens with the reduction, and weights no longer add up to one by themselves.
    const place = mode === 'linear' && !widened ? clamp(given, from) : given;
    const [first, last] = widened
      ? [Math.ceil(place - reach / scale), Math.floor(place + reach / scale)]
      : [Math.floor(place) - reach + 1, Math.floor(place) + reach];
    const reads = range(first, last + 1).map(
      (source) => [source, weigh((source - place) * (widened ? scale : 1))] as const,
    );
    if (exclude) return normalized(reads.filter(([source]) => source >= 0 && source < from));
    const clamped = reads.map(([source, weight]) => [clamp(source, from), weight] as const);
    return widened ? normalized(clamped) : clamped;
  });
}

/** The axes that are interpolated, with their scales. */
function resizedAxes(c: RuleContext): ResizedAxis[] {
  const [x, y] = [c.input(0), c.output()];
  const axes = normalAxes(intsAttribute(c.node, 'axes') ?? range(0, x.dims.length), x.dims.length);
  const scales = c.has(2) ? c.constant(2) : undefined;
  if (c.has(2) && scales === undefined) throw c.fail('its scales (input 2) must be constant');
  const given = scales === undefined ? undefined : [...floats(scales)];
  const crops = stringAttribute(c.node, 'coordinate_transformation_mode', 'half_pixel') === CROP;
  const regions = crops ? c.constant(1) : undefined;
  if (crops && regions === undefined) throw c.fail('its region (input 1) must be constant');
  const bounds = regions === undefined ? [] : [...floats(regions)];
  const changed = axes.flatMap((axis, i) => {
    const scale = given?.[i];
    const region = [bounds[i] ?? 0, bounds[i + axes.length] ?? 1] as const;
    const isWhole = region[0] === 0 && region[1] === 1;
    if (isWhole && sameSize(x.dims[axis] ?? 1, y.dims[axis] ?? 1) && (scale ?? 1) === 1) return [];
    if (isBatchAxis(x.dims[axis] ?? 1)) return [];
    const from = fixedSize(x.dims, axis, 'gradient of Resize');
    const to = fixedSize(y.dims, axis, 'gradient of Resize');
    return [{ axis, from, to, region, scale: scale ?? to / from }];
  });
  const policy = stringAttribute(c.node, 'keep_aspect_ratio_policy', 'stretch');
  if (given !== undefined || policy === 'stretch') return changed;
  const ratios = changed.map(({ scale }) => scale);
  // The given size decides the scale of one axis; the others, rounded, follow it.
  const sizes = c.integers(3, 'sizes');
  const wanted = axes.map((axis, i) => (sizes[i] ?? 1) / fixedSize(x.dims, axis, 'gradient of Resize'));
  const scale = policy === 'not_larger' ? Math.min(...wanted) : Math.max(...wanted);
  return ratios.length === 0 ? [] : changed.map((axis) => ({ ...axis, scale }));
}

/** A size to try a mapping on. */
const SAMPLE = 5;

/** How often each element of an axis of any size is repeated, where that is all that the node does to it. */
function repetition(c: RuleContext, axis: number): number | undefined {
  const scales = c.has(2) ? c.constant(2) : undefined;
  const { length } = c.input(0).dims;
  const axes = normalAxes(intsAttribute(c.node, 'axes') ?? range(0, length), length);
  const scale = scales === undefined ? undefined : floats(scales)[axes.indexOf(axis)];
  if (scale === undefined || !Number.isInteger(scale) || stringAttribute(c.node, 'mode', 'nearest') !== 'nearest')
    return undefined;
  const reads = readsOf(c, { axis, from: SAMPLE, to: SAMPLE * scale, scale, region: [0, 1] });
  return reads.every(([first], at) => first?.[0] === Math.floor(at / scale)) ? scale : undefined;
}

/** Sums over the repetitions of axes that are not of fixed size. */
function withoutRepetitions(c: RuleContext): Value {
  const { e } = c;
  const [x, y] = [c.input(0), c.output()];
  return range(0, x.dims.length).reduce((g, axis) => {
    const size = x.dims[axis] ?? 1;
    if (!isBatchAxis(size) || sameSize(size, y.dims[axis] ?? 1)) return g;
    const times = repetition(c, axis);
    if (times === undefined) throw c.fail(`axis ${axis} must be of fixed size, or repeated a whole number of times`);
    const apart = e.reshape(g, [...g.dims.slice(0, axis), size, times, ...g.dims.slice(axis + 1)]);
    return e.reduceSum(apart, [axis + 1], false);
  }, c.grad());
}

/** Interpolation is linear and works axis by axis: each axis is multiplied by the transpose of its weights. */
export const resize: Rule = (c) => [
  () =>
    resizedAxes(c).reduce((g, resized) => {
      const reads = readsOf(c, resized);
      if (reads.every(([, second]) => second === undefined)) {
        const sources = reads.map(([first]) => first?.[0] ?? -1);
        return gatherBack(c, g, resized.axis, sources, resized.from);
      }
      return interpolateBack(c, g, resized, reads);
    }, withoutRepetitions(c)),
];

function interpolateBack(c: RuleContext, g: Value, { axis, from, to }: ResizedAxis, reads: readonly Reads[]): Value {
  const { e } = c;
  const weights = new Float64Array(to * from);
  for (const [at, read] of reads.entries()) {
    for (const [source, weight] of read) {
      const index = at * from + source;
      weights[index] = (weights[index] ?? 0) + weight;
    }
  }
  const matrix = e.floating(weights, [to, from], g.dataType);
  const last = g.dims.length - 1;
  if (axis === last) return e.matmul(g, matrix);
  if (axis === last - 1) return e.matmul(e.transpose(matrix, [1, 0]), g);
  const swapped = range(0, g.dims.length).map((at) => (at === axis ? last : at === last ? axis : at));
  return e.transpose(e.matmul(e.transpose(g, swapped), matrix), swapped);
}
