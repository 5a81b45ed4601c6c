import { int, int64, intAttribute, isBatchAxis, string, stringAttribute } from '@faultline/onnx';
import { normalAxes, product, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** Oldest opset whose scatters add. */
export const SCATTER_ADD_OPSET = 16;

const axisOf = (c: RuleContext, fallback: number): number => {
  const [axis = 0] = normalAxes([intAttribute(c.node, 'axis', fallback)], c.input(0).dims.length);
  return axis;
};

function needsAddition(c: RuleContext): void {
  if (c.opset < SCATTER_ADD_OPSET) throw c.fail(`its gradient needs opset ${SCATTER_ADD_OPSET}; upgrade the model`);
}

/** Adds the gradient of each picked element back to where it was picked from. */
export const gatherElements: Rule = (c) => [
  () => {
    needsAddition(c);
    const x = c.input(0);
    return c.e.node('ScatterElements', [c.e.zerosLike(x), c.input(1), c.grad()], x.dims, {
      axis: int(axisOf(c, 0)),
      reduction: string('add'),
    });
  },
];

/** The two ways of writing at indices, and of reading there. */
interface Places {
  readonly scatter: (data: Value, updates: Value, reduction?: 'add' | 'mul') => Value;
  readonly gather: (value: Value) => Value;
}

/** Maxima and minima: what ties for an element shares its gradient equally. */
function scatteredExtremum(c: RuleContext, { scatter, gather }: Places) {
  const { e } = c;
  const { dataType } = c.output();
  const won = () => e.cast(e.compare('Equal', c.input(0), c.output()), dataType);
  const updatesWon = () => e.cast(e.compare('Equal', c.input(2), gather(c.output())), dataType);
  const share = () => e.divide(c.grad(), scatter(won(), updatesWon(), 'add'));
  // Where neither won, an element written many times has its ties elsewhere: 0 times a finite share.
  return [() => e.multiply(share(), won()), undefined, () => e.multiply(gather(share()), updatesWon())];
}

/** Products: each factor's slope is the product of the others, zeros among them counted apart. */
function scatteredProduct(c: RuleContext, { scatter, gather }: Places) {
  const { e } = c;
  const { dataType } = c.output();
  const [zero, one] = [e.scalar(0, dataType), e.scalar(1, dataType)];
  const isZero = (value: Value) => e.compare('Equal', value, zero);
  const filled = (value: Value) => e.where(isZero(value), one, value);
  const counted = (value: Value) => e.cast(isZero(value), dataType);
  const product = () => scatter(filled(c.input(0)), filled(c.input(2)), 'mul');
  const zeros = () => scatter(counted(c.input(0)), counted(c.input(2)), 'add');
  const slope = (value: Value, all: Value, count: Value) =>
    e.where(isZero(e.subtract(count, counted(value))), e.divide(all, filled(value)), zero);
  return [
    () => e.multiply(c.grad(), slope(c.input(0), product(), zeros())),
    undefined,
    () => e.multiply(gather(c.grad()), slope(c.input(2), gather(product()), gather(zeros()))),
  ];
}

/** Elements written over pass nothing to the data they replace; the updates read the gradient where they were written. */
function scattered(c: RuleContext, places: Places) {
  const reduction = stringAttribute(c.node, 'reduction', 'none');
  if (reduction !== 'none') needsAddition(c);
  if (reduction === 'max' || reduction === 'min') return scatteredExtremum(c, places);
  if (reduction === 'mul') return scatteredProduct(c, places);
  if (reduction !== 'none' && reduction !== 'add') throw c.fail(`reduction '${reduction}' has no rule`);
  return [
    () => (reduction === 'add' ? c.grad() : places.scatter(c.grad(), c.e.zerosLike(c.input(2)))),
    undefined,
    () => places.gather(c.grad()),
  ];
}

export const scatterElements: Rule = (c) => {
  const axis = int(axisOf(c, 0));
  return scattered(c, {
    scatter: (data, updates, reduction) =>
      c.e.node('ScatterElements', [data, c.input(1), updates], data.dims, {
        axis,
        ...(reduction && { reduction: string(reduction) }),
      }),
    gather: (value) => c.e.node('GatherElements', [value, c.input(1)], c.input(2).dims, { axis }),
  });
};

export const scatterND: Rule = (c) =>
  scattered(c, {
    scatter: (data, updates, reduction) =>
      c.e.node(
        'ScatterND',
        [data, c.input(1), updates],
        data.dims,
        reduction === undefined ? {} : { reduction: string(reduction) },
      ),
    gather: (value) => c.e.node('GatherND', [value, c.input(1)], c.input(2).dims),
  });

/** The number of each row of `like`, `count` times: [rows, count, 1]. */
function rowNumbers({ e }: RuleContext, like: Value, count: number): Value {
  const [rows = 1] = like.dims;
  if (!isBatchAxis(rows)) {
    const numbers = Array.from({ length: rows * count }, (_, i) => Math.floor(i / count));
    return e.shared(`rows ${rows} x ${count}`, () => int64(numbers, [rows, count, 1]));
  }
  const scalar = (value: number) => e.shared(`int ${value}`, () => int64([value], []));
  const total = e.node('Gather', [e.shapeOf(like), scalar(0)], [], {}, 'int64');
  const numbers = e.node('Range', [scalar(0), total, scalar(1)], [rows], {}, 'int64');
  const none = e.shared(`zeros ${count}`, () => int64(new Array<number>(count).fill(0), [1, count, 1]));
  return e.add(e.reshape(numbers, [rows, 1, 1]), none);
}

/** Adds each picked slice's gradient back; leading batch axes become one more index. */
export const gatherND: Rule = (c) => [
  () => {
    needsAddition(c);
    const { e } = c;
    const [x, indices, g] = [c.input(0), c.input(1), c.grad()];
    const batchAxes = intAttribute(c.node, 'batch_dims', 0);
    const add = { reduction: string('add') };
    if (batchAxes === 0) return e.node('ScatterND', [e.zerosLike(x), indices, g], x.dims, add);
    const rows = product(x.dims.slice(0, batchAxes));
    const places = Number(product(indices.dims.slice(batchAxes, -1)));
    const width = Number(indices.dims.at(-1) ?? 1);
    const flat = e.reshape(x, [rows, ...x.dims.slice(batchAxes)]);
    const picked = e.reshape(indices, [rows, places, width]);
    const where = e.node('Concat', [rowNumbers(c, picked, places), picked], [rows, places, width + 1], {
      axis: int(2),
    });
    const updates = e.reshape(g, [rows, places, ...x.dims.slice(batchAxes + width)]);
    return e.reshape(e.node('ScatterND', [e.zerosLike(flat), where, updates], flat.dims, add), x.dims, x);
  },
];

/** Each value's gradient goes to the element it came from. */
export const topK: Rule = (c) => [
  () => {
    const x = c.input(0);
    return c.e.node('ScatterElements', [c.e.zerosLike(x), c.output(1), c.grad()], x.dims, {
      axis: int(axisOf(c, -1)),
    });
  },
];
