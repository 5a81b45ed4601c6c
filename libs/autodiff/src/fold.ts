import { elementCount, type Tensor, type TensorData } from '@faultline/onnx';

/** Constants above this size are rearranged by the graph at run time, so that files and memory do not double. */
export const FOLD_LIMIT_BYTES = 64 * 2 ** 20;

/** Whether a constant may be rearranged while the gradient graph is built. */
export const isFoldable = (tensor: Tensor): boolean =>
  ArrayBuffer.isView(tensor.data) && tensor.data.byteLength < FOLD_LIMIT_BYTES;

type NumericArray = Exclude<TensorData, readonly string[]>;
type NumberArray = Exclude<NumericArray, BigInt64Array | BigUint64Array>;

/** A way through the elements of an array: sizes of axes, and how far apart their elements lie. */
interface Walk {
  readonly dims: number[];
  readonly steps: number[];
}

/** The same walk with fewer axes: without those of size 1, neighbours that lie one behind the other merged. */
function merged({ dims, steps }: Walk): Walk {
  const result: Walk = { dims: [], steps: [] };
  for (const [axis, size] of dims.entries()) {
    const step = steps[axis] ?? 0;
    if (size === 1) continue;
    const last = result.dims.length - 1;
    if (last >= 0 && result.steps[last] === step * size) {
      result.dims[last] = (result.dims[last] ?? 1) * size;
      result.steps[last] = step;
    } else {
      result.dims.push(size);
      result.steps.push(step);
    }
  }
  return result.dims.length > 0 ? result : { dims: [1], steps: [1] };
}

/** Copies the elements on a walk that starts at `offset`. Counts up, for dividing an index would take most of the time. */
function copyAlong(data: TensorData, walk: Walk, offset: number): NumericArray {
  if (!ArrayBuffer.isView(data)) throw new TypeError('string tensors are not rearranged');
  const { dims, steps } = merged(walk);
  const Type = data.constructor as new (length: number) => NumberArray;
  const out = new Type(elementCount(dims));
  // Numbers and big integers are moved alike; the cast lets one loop serve both.
  const source = data as NumberArray;
  const last = dims.length - 1;
  let to = 0;
  const copy = (axis: number, start: number): void => {
    const [size, step] = [dims[axis] ?? 1, steps[axis] ?? 1];
    let from = start;
    for (let i = 0; i < size; i++, from += step) {
      if (axis === last) out[to++] = source[from] as number;
      else copy(axis + 1, from);
    }
  };
  copy(0, offset);
  return out;
}

const stridesOf = (dims: readonly number[]): number[] => dims.map((_, axis) => elementCount(dims.slice(axis + 1)));

/** Transpose of a constant; axes of `reversed` (of the result) run backwards. */
export function foldTranspose(tensor: Tensor, perm: readonly number[], reversed: readonly number[] = []): Tensor {
  const strides = stridesOf(tensor.dims);
  const dims = perm.map((axis) => tensor.dims[axis] ?? 1);
  const forwards = perm.map((axis) => strides[axis] ?? 1);
  const steps = forwards.map((step, axis) => (reversed.includes(axis) ? -step : step));
  const offset = reversed.reduce((sum, axis) => sum + ((dims[axis] ?? 1) - 1) * (forwards[axis] ?? 0), 0);
  return { dataType: tensor.dataType, dims, data: copyAlong(tensor.data, { dims, steps }, offset) };
}

/** Gather along one axis of a constant; index -1 stands for a zero. */
export function foldGather({ dataType, dims, data }: Tensor, axis: number, indices: readonly number[]): Tensor {
  if (!ArrayBuffer.isView(data)) throw new TypeError('string tensors are not rearranged');
  const inner = elementCount(dims.slice(axis + 1));
  const outer = elementCount(dims.slice(0, axis));
  const size = dims[axis] ?? 1;
  const Type = data.constructor as new (length: number) => NumberArray;
  const source = data as NumberArray;
  const out = new Type(outer * indices.length * inner);
  let to = 0;
  for (let i = 0; i < outer; i++) {
    for (const picked of indices) {
      const from = (i * size + picked) * inner;
      if (picked >= 0) for (let j = 0; j < inner; j++) out[to + j] = source[from + j] as number;
      to += inner;
    }
  }
  return { dataType, dims: dims.with(axis, indices.length), data: out };
}

const BINARY: Readonly<Record<string, (a: number, b: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
};

const UNARY: Readonly<Record<string, (a: number) => number>> = { Neg: (a) => -a, Sqrt: Math.sqrt, Exp: Math.exp };

/** Elements of a tensor broadcast to a shape. */
function broadcast({ dims, data }: Tensor, wanted: readonly number[]): TensorData {
  const offset = wanted.length - dims.length;
  const strides = stridesOf(dims);
  const steps = wanted.map((_, axis) => ((dims[axis - offset] ?? 1) === 1 ? 0 : (strides[axis - offset] ?? 0)));
  return copyAlong(data, { dims: [...wanted], steps }, 0);
}

const isFloating = (data: TensorData): data is Float32Array | Float64Array =>
  data instanceof Float32Array || data instanceof Float64Array;

/** An elementwise operation of constants of one floating type; undefined where it is not one of those folded. */
export function foldElementwise(op: string, operands: readonly Tensor[], dims: readonly number[]): Tensor | undefined {
  const [first, second] = operands.map((operand) => broadcast(operand, dims));
  const [dataType] = operands.map((operand) => operand.dataType);
  if (first === undefined || dataType === undefined || !isFloating(first)) return undefined;
  const [binary, unary] = [BINARY[op], UNARY[op]];
  if (second === undefined) return unary && { dataType, dims, data: first.map(unary) };
  if (binary === undefined || !isFloating(second)) return undefined;
  return { dataType, dims, data: first.map((value, i) => binary(value, second[i] ?? 0)) };
}
