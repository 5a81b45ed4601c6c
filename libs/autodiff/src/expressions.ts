import {
  type AxisSize,
  type DataType,
  float,
  int,
  ints,
  isBatchAxis,
  type Node,
  OnnxError,
  tensor,
} from '@faultline/onnx';
import {
  broadcastDims,
  combined,
  type Dims,
  describeDims,
  fixedSize,
  grown,
  normalAxes,
  product,
  range,
  sameDims,
  type Value,
} from './dims.ts';
import { foldElementwise, foldGather, foldTranspose, isFoldable } from './fold.ts';
import { GraphWriter } from './writer.ts';

/** A power of two, so that multiplying is exact and a difference of two neighbouring numbers, too, is clipped to 0 or 1. */
const STEEP = 2 ** 100;
/** Shifts beyond would come near the largest single-precision number. */
const LARGEST_SHIFT = 2 ** 120;

/** Whether a node is a step that `Expressions.step` wrote: constant almost everywhere. */
export const isStep = ({ op, attributes }: Node): boolean =>
  op === 'HardSigmoid' && attributes.alpha?.type === 'float' && attributes.alpha.value >= STEEP;

/** An end of a Slice beyond every axis. */
const TO_THE_END = 2 ** 31 - 1;

/**
 * Backward expressions with their shapes known: rearranged constants are computed at once, multiplications by a
 * constant one vanish. Every node written has the same form in opsets 13 to 21.
 */
export class Expressions extends GraphWriter {
  #binary(op: string, a: Value, b: Value): Value {
    return this.#elementwise(op, [a, b], broadcastDims(a.dims, b.dims));
  }

  /** A node, or its result where that is known beforehand. */
  #elementwise(op: string, operands: readonly Value[], dims: Dims): Value {
    const constants = operands.flatMap(({ name }) => this.constantOf(name) ?? []);
    if (constants.length === operands.length && constants.every(isFoldable) && !dims.some(isBatchAxis)) {
      const folded = foldElementwise(op, constants, dims.map(Number));
      if (folded !== undefined) return this.shared(`${op} ${operands.map(({ name }) => name)}`, () => folded);
    }
    return this.node(op, operands, dims);
  }

  add = (a: Value, b: Value) => this.#binary('Add', a, b);
  subtract = (a: Value, b: Value) => this.#binary('Sub', a, b);
  divide = (a: Value, b: Value) => this.#binary('Div', a, b);
  power = (a: Value, b: Value) => this.#binary('Pow', a, b);

  multiply(a: Value, b: Value): Value {
    const dims = broadcastDims(a.dims, b.dims);
    const [left, right] = [this.numberOf(a), this.numberOf(b)];
    if (left !== undefined && right !== undefined) {
      return this.scalar(left * right, a.dataType, dims.map(Number));
    }
    if (left === 1 && sameDims(dims, b.dims)) return b;
    if (right === 1 && sameDims(dims, a.dims)) return a;
    return this.#binary('Mul', a, b);
  }

  /** a x factor. */
  scale = (a: Value, factor: number) => this.multiply(a, this.scalar(factor, a.dataType));

  unary(op: string, a: Value): Value {
    const number = op === 'Neg' ? this.numberOf(a) : undefined;
    if (number !== undefined) return this.scalar(-number, a.dataType, a.dims.map(Number));
    return this.#elementwise(op, [a], a.dims);
  }

  negate = (a: Value) => this.unary('Neg', a);

  sum(values: readonly Value[]): Value {
    const [first, second] = values;
    if (first === undefined) throw new RangeError('a sum needs a value');
    if (second === undefined) return first;
    if (values.length === 2) return this.add(first, second);
    return this.node('Sum', values, values.map(({ dims }) => dims).reduce(broadcastDims));
  }

  /** Elementwise comparison (Equal, Greater, Less, ...), a bool value. */
  compare(op: string, a: Value, b: Value): Value {
    return this.node(op, [a, b], broadcastDims(a.dims, b.dims), {}, 'bool');
  }

  where(condition: Value, a: Value, b: Value): Value {
    const dims = broadcastDims(condition.dims, broadcastDims(a.dims, b.dims));
    return this.node('Where', [condition, a, b], dims, {}, a.dataType);
  }

  /** Elements of a where the condition holds, zero elsewhere; they may be infinite or not a number there. */
  mask = (condition: Value, a: Value) => this.where(condition, a, this.scalar(0, a.dataType));

  /** a times 1 where the condition holds, 0 elsewhere: faster than `mask`, for a that is finite. */
  gate = (condition: Value, a: Value) => this.multiply(a, this.cast(condition, a.dataType));

  /**
   * 1 where a > threshold, else 0. In single precision one HardSigmoid, steep enough that all but denormal differences are
   * clipped: half the time of a comparison and a cast, several threads share it, and gradients of gradients skip it.
   */
  step(a: Value, threshold = 0): Value {
    const beta = -threshold * STEEP;
    if (a.dataType !== 'float32' || Math.abs(beta) > LARGEST_SHIFT) {
      return this.cast(this.compare('Greater', a, this.scalar(threshold, a.dataType)), a.dataType);
    }
    return this.node('HardSigmoid', [a], a.dims, { alpha: float(STEEP), beta: float(beta) });
  }

  cast(a: Value, dataType: DataType): Value {
    if (a.dataType === dataType) return a;
    // Numbers of the element types in the ONNX schema.
    const to = { float32: 1, int64: 7, bool: 9, float16: 10, float64: 11 }[dataType as string];
    if (to === undefined) throw new OnnxError(`gradients are not cast to ${dataType}`);
    return this.node('Cast', [a], a.dims, { to: int(to) }, dataType);
  }

  /** The run-time shape of a value. */
  shapeOf = (a: Value) => this.node('Shape', [a], [a.dims.length], {}, 'int64');

  /** Reshape; `like` is a value of that very shape, needed where several axes follow the batch. */
  reshape(a: Value, dims: Dims, like?: Value): Value {
    if (sameDims(a.dims, dims)) return a;
    const constant = this.constantOf(a.name);
    if (constant !== undefined && isFoldable(constant)) {
      return this.constant({ ...constant, dims: dims.map((_, axis) => fixedSize(dims, axis, 'Reshape')) });
    }
    const following = dims.filter(isBatchAxis).length;
    if (following <= 1) {
      const target = this.integers(dims.map((size) => (isBatchAxis(size) ? -1 : size)));
      return this.node('Reshape', [a, target], dims);
    }
    if (like !== undefined && sameDims(like.dims, dims)) return this.node('Reshape', [a, this.shapeOf(like)], dims);
    const shape = this.#shape(dims);
    if (shape === undefined)
      throw new OnnxError(`cannot reshape to ${describeDims(dims)}: several axes follow the batch or others`);
    return this.node('Reshape', [a, shape], dims);
  }

  /** The run-time size of an axis, a vector of one integer; undefined where no value has such an axis. */
  sizeOf(size: AxisSize): Value | undefined {
    if (!isBatchAxis(size)) return this.integers([size]);
    const source = this.sourceOf(size);
    if (source === undefined) return undefined;
    return this.node('Gather', [this.shapeOf(source.value), this.integers([source.axis])], [1], {}, 'int64');
  }

  /** The run-time size of an axis of a value. */
  sizeAlong(a: Value, axis: number): Value {
    return this.node('Gather', [this.shapeOf(a), this.integers([axis])], [1], {}, 'int64');
  }

  /** A shape as a vector; one axis may be left to Reshape. */
  #shape(dims: Dims): Value | undefined {
    const parts: Value[] = [];
    let fixed: number[] = [];
    let missing = 0;
    for (const size of dims) {
      const known = isBatchAxis(size) ? this.sizeOf(size) : undefined;
      if (known === undefined) {
        if (isBatchAxis(size)) missing++;
        fixed.push(isBatchAxis(size) ? -1 : size);
        continue;
      }
      if (fixed.length > 0) parts.push(this.integers(fixed));
      fixed = [];
      parts.push(known);
    }
    if (fixed.length > 0) parts.push(this.integers(fixed));
    return missing > 1 ? undefined : this.node('Concat', parts, [dims.length], { axis: int(0) }, 'int64');
  }

  /** The elements from a run-time place to before another, along an axis whose size is then `size`. */
  between(
    a: Value,
    axis: number,
    { start, end, size, step = 1 }: { start: Value; end: Value; size: AxisSize; step?: number },
  ): Value {
    const parts = [start, end, this.integers([axis]), this.integers([step])];
    return this.node('Slice', [a, ...parts], a.dims.with(axis, size));
  }

  /** Puts a value back into zeros of the size of `like` along an axis, from a run-time place on. */
  placed(a: Value, axis: number, start: Value, like: Value): Value {
    const after = this.subtract(this.sizeAlong(like, axis), this.add(start, this.sizeAlong(a, axis)));
    const others = (count: number) => (count === 0 ? [] : [this.integers(new Array<number>(count).fill(0))]);
    const [before, behind] = [others(axis), others(a.dims.length - 1 - axis)];
    const parts = [...before, start, ...behind, ...before, after, ...behind];
    const pads = this.node('Concat', parts, [2 * a.dims.length], { axis: int(0) }, 'int64');
    return this.node('Pad', [a, pads], a.dims.with(axis, like.dims[axis] ?? 1));
  }

  /** 1 / number of elements along some axes, whatever their sizes. */
  inverseCount(a: Value, axes: readonly number[]): Value {
    const size = product(axes.map((axis) => a.dims[axis] ?? 1));
    if (!isBatchAxis(size)) return this.scalar(1 / size, a.dataType);
    const counts = axes.map((axis) => this.cast(this.reshape(this.sizeAlong(a, axis), []), a.dataType));
    return counts.reduce((inverse, count) => this.divide(inverse, count), this.scalar(1, a.dataType));
  }

  /** Puts axes of size 1 in, at these places of the result. */
  unsqueeze(a: Value, axes: readonly number[]): Value {
    const put = axes.toSorted((left, right) => left - right);
    const dims = put.reduce<Dims>((sizes, axis) => sizes.toSpliced(axis, 0, 1), a.dims);
    if (this.constantOf(a.name) !== undefined) return this.reshape(a, dims);
    return this.node('Unsqueeze', [a, this.integers(put)], dims);
  }

  /** Grows axes of size 1 (and missing leading ones); `like` has the wanted shape, needed where the batch axis grows. */
  expand(a: Value, dims: Dims, like?: Value): Value {
    if (sameDims(a.dims, dims)) return a;
    const offset = dims.length - a.dims.length;
    const wanted = dims.map((size, axis) =>
      axis >= offset && sameDims([size], [a.dims[axis - offset] ?? 0]) ? 1 : size,
    );
    if (!wanted.some(isBatchAxis)) return this.node('Expand', [a, this.integers(wanted.map(Number))], dims);
    if (like === undefined) throw new OnnxError(`cannot expand to ${describeDims(dims)} without a value of that shape`);
    return this.node('Expand', [a, this.shapeOf(like)], dims);
  }

  /** A tensor of the shape of `like`, filled with zeros. */
  zerosLike(like: Value): Value {
    const value = this.constantOf(this.scalar(0, like.dataType, [1]).name);
    if (value === undefined) throw new OnnxError('a constant just made is gone');
    return this.node('ConstantOfShape', [this.shapeOf(like)], like.dims, { value: tensor(value) }, like.dataType);
  }

  /** A transpose; axes of `reversed` (of the result, of fixed size) run backwards. */
  transpose(a: Value, perm: readonly number[], reversed: readonly number[] = []): Value {
    const turned = reversed.filter((axis) => a.dims[perm[axis] ?? axis] !== 1);
    const isIdentity = perm.every((axis, index) => axis === index);
    if (isIdentity && turned.length === 0) return a;
    const constant = this.constantOf(a.name);
    if (constant !== undefined && isFoldable(constant)) {
      return this.shared(`transpose ${a.name} ${perm} reversed ${turned}`, () => foldTranspose(constant, perm, turned));
    }
    const dims = perm.map((axis) => a.dims[axis] ?? 1);
    const transposed = isIdentity ? a : this.node('Transpose', [a], dims, { perm: ints(perm) });
    return turned.reduce((value, axis) => {
      const size = fixedSize(dims, axis, 'Gather');
      return this.arrange(value, axis, range(0, size).reverse());
    }, transposed);
  }

  /** Transpose of the last two axes. */
  transposeLast(a: Value): Value {
    const rank = a.dims.length;
    return this.transpose(
      a,
      a.dims.map((_, axis) => (axis === rank - 2 ? rank - 1 : axis === rank - 1 ? rank - 2 : axis)),
    );
  }

  reduceSum(a: Value, axes: readonly number[], keepDims = true): Value {
    if (axes.length === 0) return a;
    const reduced = new Set(normalAxes(axes, a.dims.length));
    const dims = keepDims
      ? a.dims.map((size, axis) => (reduced.has(axis) ? 1 : size))
      : a.dims.filter((_, axis) => !reduced.has(axis));
    if ([...reduced].every((axis) => a.dims[axis] === 1)) return this.reshape(a, dims);
    return this.node('ReduceSum', [a, this.integers([...reduced])], dims, { keepdims: int(keepDims ? 1 : 0) });
  }

  matmul(a: Value, b: Value): Value {
    const [m, n] = [a.dims.at(-2) ?? 1, b.dims.at(-1) ?? 1];
    return this.node('MatMul', [a, b], [...broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2)), m, n]);
  }

  /** op(a) x op(b) of matrices, without transposing them in memory. */
  gemm(a: Value, b: Value, transA: boolean, transB: boolean): Value {
    const dims = [(transA ? a.dims[1] : a.dims[0]) ?? 1, (transB ? b.dims[0] : b.dims[1]) ?? 1];
    return this.node('Gemm', [a, b], dims, { transA: int(Number(transA)), transB: int(Number(transB)) });
  }

  concat(values: readonly Value[], axis: number): Value {
    const [first] = values;
    if (first === undefined) throw new RangeError('a concatenation needs a value');
    if (values.length === 1) return first;
    const total = combined(
      values.map(({ dims }) => dims[axis] ?? 1),
      (sizes) => sizes.reduce((sum, size) => sum + size, 0),
    );
    return this.node('Concat', values, first.dims.with(axis, total), { axis: int(axis) });
  }

  /** A slice of axes of fixed size: `start`, `start + step`, ... (`count` elements). */
  slice(a: Value, parts: readonly { axis: number; start: number; count: number; step?: number }[]): Value {
    const cut = parts.filter(({ axis, start, count, step = 1 }) => start !== 0 || step !== 1 || a.dims[axis] !== count);
    if (cut.length === 0) return a;
    const dims = a.dims.map((size, axis) => cut.find((part) => part.axis === axis)?.count ?? size);
    const end = ({ start, count, step = 1 }: (typeof cut)[number]) => {
      const last = start + (count - 1) * step;
      // A backward slice that ends at element 0 needs an end before the axis.
      return step > 0 ? last + 1 : last === 0 ? -(2 ** 31) : last - 1;
    };
    const list = [cut.map(({ start }) => start), cut.map(end), cut.map(({ axis }) => axis)];
    if (cut.some(({ step = 1 }) => step !== 1)) list.push(cut.map(({ step = 1 }) => step));
    return this.node('Slice', [a, ...list.map((values) => this.integers(values))], dims);
  }

  /** Takes elements away at the ends of axes. */
  #crop(a: Value, parts: readonly { axis: number; before: number; after: number }[]): Value {
    const cut = parts.filter(({ before, after }) => before > 0 || after > 0);
    if (cut.length === 0) return a;
    const dims = cut.reduce<Dims>(
      (all, { axis, before, after }) => all.with(axis, grown(all[axis] ?? 0, -before - after)),
      a.dims,
    );
    const ends = cut.map(({ after }) => (after === 0 ? TO_THE_END : -after));
    const lists = [cut.map(({ before }) => before), ends, cut.map(({ axis }) => axis)];
    return this.node('Slice', [a, ...lists.map((values) => this.integers(values))], dims);
  }

  /** Zeros, or another filling, around axes of fixed size; negative amounts crop. */
  pad(a: Value, parts: readonly { axis: number; before: number; after: number }[], filling = 0): Value {
    const cropped = this.#crop(
      a,
      parts.map(({ axis, before, after }) => ({ axis, before: Math.max(0, -before), after: Math.max(0, -after) })),
    );
    const added = parts.filter(({ before, after }) => before > 0 || after > 0);
    if (added.length === 0) return cropped;
    const amount = (axis: number, side: 'before' | 'after') =>
      Math.max(0, added.find((part) => part.axis === axis)?.[side] ?? 0);
    const dims = cropped.dims.map((size, axis) => grown(size, amount(axis, 'before') + amount(axis, 'after')));
    const pads = [...dims.map((_, axis) => amount(axis, 'before')), ...dims.map((_, axis) => amount(axis, 'after'))];
    const fill = filling === 0 ? [] : [this.scalar(filling, a.dataType)];
    return this.node('Pad', [cropped, this.integers(pads), ...fill], dims);
  }

  /** Picks elements along an axis of fixed size; index -1 stands for a zero. */
  arrange(a: Value, axis: number, indices: readonly number[]): Value {
    const size = fixedSize(a.dims, axis, 'Gather');
    if (indices.length === size && indices.every((picked, index) => picked === index)) return a;
    const constant = this.constantOf(a.name);
    if (constant !== undefined && isFoldable(constant)) {
      return this.shared(`gather ${a.name} ${axis} ${indices}`, () => foldGather(constant, axis, indices));
    }
    const padded = indices.includes(-1) ? this.pad(a, [{ axis, before: 0, after: 1 }]) : a;
    const picked = this.integers(indices.map((index) => (index < 0 ? size : index)));
    return this.node('Gather', [padded, picked], a.dims.with(axis, indices.length), { axis: int(axis) });
  }

  /** Merges axes start .. end - 1 into one. */
  merge(a: Value, start: number, end: number): Value {
    return this.reshape(a, [...a.dims.slice(0, start), product(a.dims.slice(start, end)), ...a.dims.slice(end)]);
  }
}
