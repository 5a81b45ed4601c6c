import { intAttribute, intsAttribute } from '@faultline/onnx';
import { fixedSize, normalAxes, range } from '../dims.ts';
import { axesOf, type Rule, type RuleContext } from '../rule.ts';

/** Reshape, Flatten, Squeeze, Unsqueeze: the gradient takes the input's shape back. */
export const reshape: Rule = (c) => [() => c.e.reshape(c.grad(), c.input(0).dims, c.input(0))];

/** The walker sums over the expanded axes. */
export const expand: Rule = (c) => [() => c.grad()];

export const transpose: Rule = (c) => [
  () => {
    const rank = c.input(0).dims.length;
    const perm = intsAttribute(c.node, 'perm') ?? range(0, rank).reverse();
    return c.e.transpose(
      c.grad(),
      range(0, rank).map((axis) => perm.indexOf(axis)),
    );
  },
];

const axisOf = (c: RuleContext, fallback: number) => {
  const [axis = 0] = normalAxes([intAttribute(c.node, 'axis', fallback)], c.input(0).dims.length);
  return axis;
};

export const concat: Rule = (c) => {
  const axis = axisOf(c, 0);
  const sizes = range(0, c.inputCount).map((i) => () => fixedSize(c.input(i).dims, axis, 'gradient of Concat'));
  return sizes.map((size, i) => () => {
    const start = sizes.slice(0, i).reduce((total, before) => total + before(), 0);
    return c.e.slice(c.grad(), [{ axis, start, count: size() }]);
  });
};

export const split: Rule = (c) => [
  () => {
    const axis = axisOf(c, 0);
    return c.e.concat(
      c.node.outputs.map((_, i) => c.grad(i)),
      axis,
    );
  },
];

/** What a Slice takes from one axis. */
interface Cut {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

function cutsOf(c: RuleContext): Cut[] {
  const x = c.input(0);
  const starts = c.integers(1, 'starts');
  const axes = axesOf(c, 3, x.dims.length) ?? range(0, starts.length);
  const steps = c.has(4) ? c.integers(4, 'steps') : starts.map(() => 1);
  return axes.flatMap((axis, i) => {
    const [step, given] = [steps[i] ?? 1, starts[i] ?? 0];
    const untouched = JSON.stringify(x.dims[axis]) === JSON.stringify(c.output().dims[axis]);
    if (untouched && step === 1) return [];
    const size = fixedSize(x.dims, axis, 'gradient of Slice');
    const start = Math.min(Math.max(given < 0 ? given + size : given, 0), step > 0 ? size : size - 1);
    return [{ axis, start, step, count: fixedSize(c.output().dims, axis, 'gradient of Slice') }];
  });
}

/** Puts the gradient back in place, zeros around it (and between its elements where the step is not 1). */
export const slice: Rule = (c) => [
  () => {
    const x = c.input(0);
    let g = c.grad();
    const pads: { axis: number; before: number; after: number }[] = [];
    for (const { axis, start, step, count } of cutsOf(c)) {
      const size = fixedSize(x.dims, axis, 'gradient of Slice');
      if (step === 1) pads.push({ axis, before: start, after: size - start - count });
      else {
        const source = new Array<number>(size).fill(-1);
        for (let i = 0; i < count; i++) source[start + i * step] = i;
        g = c.e.arrange(g, axis, source);
      }
    }
    return c.e.pad(g, pads);
  },
];
