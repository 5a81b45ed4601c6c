import { int, intAttribute, integers, isBatchAxis, string, stringAttribute } from '@faultline/onnx';
import { fixedSize, normalAxes, product, range, sameSize, type Value } from '../dims.ts';
import { axesOf, type Rule, type RuleContext } from '../rule.ts';
import { SCATTER_ADD_OPSET } from './scatter.ts';

/** Beyond so many readers of one element, a product with a 0/1 matrix is simpler than adding rearranged copies. */
const MOST_COPIES = 3;

/**
 * Adjoint of y[.., j, ..] = x[.., sources[j], ..]: sums the gradient's elements along an axis back to where they were
 * read from; a source of -1 was not read from x.
 */
export function gatherBack(c: RuleContext, g: Value, axis: number, sources: readonly number[], size: number): Value {
  const { e } = c;
  const copies: number[][] = [];
  for (const [j, source] of sources.entries()) {
    if (source < 0) continue;
    let copy = copies.find((taken) => taken[source] === -1);
    if (copy === undefined) {
      copy = new Array<number>(size).fill(-1);
      copies.push(copy);
    }
    copy[source] = j;
  }
  if (copies.length <= MOST_COPIES) return e.sum(copies.map((copy) => e.arrange(g, axis, copy)));
  const matrix = new Float64Array(sources.length * size);
  for (const [j, source] of sources.entries()) if (source >= 0) matrix[j * size + source] = 1;
  const chosen = e.floating(matrix, [sources.length, size], g.dataType);
  const last = g.dims.length - 1;
  const swapped = range(0, g.dims.length).map((at) => (at === axis ? last : at === last ? axis : at));
  return e.transpose(e.matmul(e.transpose(g, swapped), chosen), swapped);
}

/** What a Slice takes from one axis; `start` is as given, from the end where it is negative. */
interface Cut {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
}

function cutsOf(c: RuleContext): Cut[] {
  const [x, y] = [c.input(0), c.output()];
  const starts = c.integers(1, 'starts');
  const axes = axesOf(c, 3, x.dims.length) ?? range(0, starts.length);
  const steps = c.has(4) ? c.integers(4, 'steps') : starts.map(() => 1);
  return axes.flatMap((axis, i) => {
    const [step, start] = [steps[i] ?? 1, starts[i] ?? 0];
    // The whole batch axis may be sliced, as long as nothing is cut from it.
    const isWhole = step === 1 && sameSize(x.dims[axis] ?? 1, y.dims[axis] ?? 1);
    return isWhole ? [] : [{ axis, start, step }];
  });
}

/** Puts the gradient back where starts that are known only at run time took it from. */
function sliceBack(c: RuleContext): Value {
  const { e } = c;
  const [x, y, starts] = [c.input(0), c.output(), c.input(1)];
  const axes = axesOf(c, 3, x.dims.length) ?? range(0, x.dims.length);
  if (c.has(4) && c.integers(4, 'steps').some((step) => step !== 1))
    throw c.fail('its starts (input 1) must be constant');
  return axes.reduce((g, axis, i) => {
    if (sameSize(x.dims[axis] ?? 1, y.dims[axis] ?? 1)) return g;
    const given = e.node('Gather', [starts, e.integers([i])], [1]);
    const size = e.sizeAlong(x, axis);
    const zero = e.integers([0]);
    const counted = e.where(e.compare('Less', given, zero), e.add(given, size), given);
    const start = e.node('Min', [e.node('Max', [counted, zero], [1]), size], [1]);
    return e.placed(g, axis, start, x);
  }, c.grad());
}

/** Puts the gradient back in place, zeros around it (and between its elements where the step is not 1). */
export const slice: Rule = (c) => [
  () => {
    const [x, y] = [c.input(0), c.output()];
    if (c.constant(1) === undefined) return sliceBack(c);
    let g = c.grad();
    const pads: { axis: number; before: number; after: number }[] = [];
    for (const { axis, start: given, step } of cutsOf(c)) {
      const [size = 1, made = 1] = [x.dims[axis], y.dims[axis]];
      if (isBatchAxis(size) && step === 1) {
        const start = given < 0 ? c.e.add(c.e.sizeAlong(x, axis), c.e.integers([given])) : c.e.integers([given]);
        g = c.e.placed(g, axis, start, x);
        continue;
      }
      const [whole, count] = [
        fixedSize(x.dims, axis, 'gradient of Slice'),
        fixedSize(y.dims, axis, 'gradient of Slice'),
      ];
      const start = Math.min(Math.max(given < 0 ? given + whole : given, 0), step > 0 ? whole : whole - 1);
      if (step === 1) pads.push({ axis, before: start, after: whole - start - Number(made) });
      else {
        const sources = range(0, count).map((i) => start + i * step);
        g = gatherBack(c, g, axis, sources, whole);
      }
    }
    return c.e.pad(g, pads);
  },
];

/** Where element `at` of a padded axis was read from; -1 for a constant. */
const PAD_SOURCES: Readonly<Record<string, (at: number, size: number) => number>> = {
  constant: (at, size) => (at >= 0 && at < size ? at : -1),
  edge: (at, size) => Math.min(Math.max(at, 0), size - 1),
  reflect: (at, size) => (at < 0 ? -at : at >= size ? 2 * (size - 1) - at : at),
  wrap: (at, size) => ((at % size) + size) % size,
};

/** How much a Pad adds to each axis that it changes. */
function padding(c: RuleContext) {
  const { length } = c.input(0).dims;
  const pads = c.integers(1, 'pads');
  const axes = c.has(3) ? normalAxes(c.integers(3, 'axes'), length) : range(0, length);
  return axes
    .map((axis, i) => ({ axis, before: pads[i] ?? 0, after: pads[i + axes.length] ?? 0 }))
    .filter(({ before, after }) => before !== 0 || after !== 0);
}

/**
 * Adds what a Pad of an axis of any size read beyond its ends back to where it read it: the margins, reversed by reflect,
 * summed by edge. The axis must be longer than the margins, as reflect demands.
 */
function foldBack(
  c: RuleContext,
  g: Value,
  { axis, before, after }: { readonly axis: number; readonly before: number; readonly after: number },
  mode: string,
): Value {
  const { e } = c;
  const x = c.input(0);
  if (mode === 'wrap' || before < 0 || after < 0) throw c.fail(`pad mode '${mode}' needs an axis of fixed size`);
  const whole = e.sizeAlong(g, axis);
  const margin = (start: Value, count: number) => {
    const cut = e.between(g, axis, { start, end: e.add(start, e.integers([count])), size: count });
    return mode === 'reflect' ? e.arrange(cut, axis, range(0, count).reverse()) : e.reduceSum(cut, [axis]);
  };
  const parts = [e.pad(g, [{ axis, before: -before, after: -after }])];
  if (before > 0) {
    const at = mode === 'reflect' ? 1 : 0;
    parts.push(e.placed(margin(e.integers([0]), before), axis, e.integers([at]), x));
  }
  if (after > 0) {
    const inner = e.sizeAlong(x, axis);
    const start = e.subtract(inner, e.integers([mode === 'reflect' ? after + 1 : 1]));
    parts.push(e.placed(margin(e.subtract(whole, e.integers([after])), after), axis, start, x));
  }
  return e.sum(parts);
}

/** What lies within pads that are known only at run time; they add, or nothing. */
function padBack(c: RuleContext): Value {
  const { e } = c;
  const [x, y, pads] = [c.input(0), c.output(), c.input(1)];
  const axes = c.has(3) ? normalAxes(c.integers(3, 'axes'), x.dims.length) : range(0, x.dims.length);
  return axes.reduce((g, axis, i) => {
    const [size = 1, padded = 1] = [x.dims[axis], y.dims[axis]];
    if (sameSize(size, padded)) return g;
    const start = e.node('Gather', [pads, e.integers([i])], [1]);
    return e.between(g, axis, { start, end: e.add(start, e.sizeAlong(x, axis)), size });
  }, c.grad());
}

export const pad: Rule = (c) => [
  () => {
    const { dims } = c.input(0);
    const mode = stringAttribute(c.node, 'mode', 'constant');
    const sourceOf = PAD_SOURCES[mode];
    if (sourceOf === undefined) throw c.fail(`pad mode '${mode}' has no rule`);
    if (mode === 'constant' && c.constant(1) === undefined) return padBack(c);
    const parts = padding(c);
    if (mode === 'constant') {
      return c.e.pad(
        c.grad(),
        parts.map(({ axis, before, after }) => ({ axis, before: -before, after: -after })),
      );
    }
    return parts.reduce((g, { axis, before, after }) => {
      if (isBatchAxis(dims[axis] ?? 1)) return foldBack(c, g, { axis, before, after }, mode);
      const size = fixedSize(dims, axis, 'gradient of Pad');
      const sources = range(-before, size + after).map((at) => sourceOf(at, size));
      return gatherBack(c, g, axis, sources, size);
    }, c.grad());
  },
  undefined,
  // The filling is everywhere around the value.
  () => {
    const { e } = c;
    const around = e.pad(e.zerosLike(c.input(0)), padding(c), 1);
    const filled = e.multiply(c.grad(), around);
    return e.reshape(e.reduceSum(filled, range(0, filled.dims.length), false), c.input(2).dims);
  },
];

/** Adds the gradient of each picked slice back to where it was picked from. */
export const gather: Rule = (c) => [
  () => {
    const { e } = c;
    const [x, indices, g] = [c.input(0), c.input(1), c.grad()];
    const [axis = 0] = normalAxes([intAttribute(c.node, 'axis', 0)], x.dims.length);
    const constant = c.constant(1);
    if (constant !== undefined && !isBatchAxis(x.dims[axis] ?? 1)) {
      const size = fixedSize(x.dims, axis, 'gradient of Gather');
      const picked = integers(constant);
      const flat = e.reshape(g, [...x.dims.slice(0, axis), picked.length, ...x.dims.slice(axis + 1)]);
      return gatherBack(c, flat, axis, normalAxes(picked, size), size);
    }
    if (c.opset < SCATTER_ADD_OPSET) throw c.fail(`indices that are not constant need opset ${SCATTER_ADD_OPSET}`);
    // The gathered axis moves to the front, indices with it.
    const places = indices.dims.length;
    const rest = x.dims.toSpliced(axis, 1);
    const flat = e.reshape(g, [...x.dims.slice(0, axis), product(indices.dims), ...x.dims.slice(axis + 1)]);
    const front = [axis, ...range(0, flat.dims.length).toSpliced(axis, 1)];
    const updates = e.transpose(flat, front);
    const where = e.reshape(places === 1 ? indices : e.reshape(indices, [product(indices.dims)]), [
      product(indices.dims),
      1,
    ]);
    const zeros = e.zerosLike(e.transpose(x, front));
    const made = e.node('ScatterND', [zeros, where, updates], [x.dims[axis] ?? 1, ...rest], {
      reduction: string('add'),
    });
    return e.transpose(
      made,
      range(0, front.length).map((at) => front.indexOf(at)),
    );
  },
];

/** Sums over the repetitions. */
export const tile: Rule = (c) => [
  () => {
    const x = c.input(0);
    const repeats = c.integers(1, 'repeats');
    const parts = x.dims.flatMap((size, axis) => ((repeats[axis] ?? 1) === 1 ? [size] : [repeats[axis] ?? 1, size]));
    const repeated: number[] = [];
    for (const [axis] of x.dims.entries()) {
      if ((repeats[axis] ?? 1) !== 1) repeated.push(axis + repeated.length);
    }
    return c.e.reduceSum(c.e.reshape(c.grad(), parts), repeated, false);
  },
];

/** The running sum of the gradient, run the other way. */
export const cumulativeSum: Rule = (c) => [
  () => {
    const reverse = 1 - intAttribute(c.node, 'reverse', 0);
    const exclusive = intAttribute(c.node, 'exclusive', 0);
    const attributes = { reverse: int(reverse), exclusive: int(exclusive) };
    return c.e.node('CumSum', [c.grad(), c.input(1)], c.grad().dims, attributes);
  },
];

/** DepthToSpace in either order of its channels, undone; SpaceToDepth undoes the first alone. */
export const depthToSpace: Rule = (c) => [
  () => {
    const { dims } = c.input(0);
    const block = intAttribute(c.node, 'blocksize', 1);
    if (stringAttribute(c.node, 'mode', 'DCR') === 'DCR') {
      return c.e.node('SpaceToDepth', [c.grad()], dims, { blocksize: int(block) });
    }
    const [batch = 1, channels = 1, height = 1, width = 1] = dims;
    const kept = Number(channels) / (block * block);
    const parts = c.e.reshape(c.grad(), [batch, kept, height, block, width, block]);
    return c.e.reshape(c.e.transpose(parts, [0, 1, 3, 5, 2, 4]), dims);
  },
];

export const spaceToDepth: Rule = (c) => [
  () => c.e.node('DepthToSpace', [c.grad()], c.input(0).dims, { blocksize: int(intAttribute(c.node, 'blocksize', 1)) }),
];

/** Reversed once more. */
export const reverseSequence: Rule = (c) => [
  () => c.e.node('ReverseSequence', [c.grad(), c.input(1)], c.input(0).dims, c.node.attributes),
];

/** The same triangle of the gradient. */
export const triangle: Rule = (c) => [
  () => {
    const upper = int(intAttribute(c.node, 'upper', 1));
    return c.e.node('Trilu', c.has(1) ? [c.grad(), c.input(1)] : [c.grad()], c.input(0).dims, { upper });
  },
];
