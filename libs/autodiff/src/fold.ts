import { elementCount, type Tensor, type TensorData } from '@faultline/onnx';

/** Constants above this size are rearranged by the graph at run time, so that files and memory do not double. */
export const FOLD_LIMIT_BYTES = 64 * 2 ** 20;

/** Whether a constant may be rearranged while the gradient graph is built. */
export const isFoldable = (tensor: Tensor): boolean =>
  ArrayBuffer.isView(tensor.data) && tensor.data.byteLength < FOLD_LIMIT_BYTES;

type NumericArray = Exclude<TensorData, readonly string[]>;

/** An array of the same type whose element i is element `source(i)`, or zero where that is -1. */
function rearrange(data: TensorData, count: number, source: (index: number) => number): TensorData {
  if (!ArrayBuffer.isView(data)) throw new TypeError('string tensors are not rearranged');
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const out = data instanceof BigInt64Array ? new BigInt64Array(count) : new BigUint64Array(count);
    for (let i = 0; i < count; i++) out[i] = data[source(i)] ?? 0n;
    return out;
  }
  const Type = data.constructor as new (length: number) => Exclude<NumericArray, BigInt64Array | BigUint64Array>;
  const out = new Type(count);
  for (let i = 0; i < count; i++) out[i] = data[source(i)] ?? 0;
  return out;
}

/** Transpose of a constant. */
export function foldTranspose(tensor: Tensor, perm: readonly number[]): Tensor {
  const strides = tensor.dims.map((_, axis) => elementCount(tensor.dims.slice(axis + 1)));
  const dims = perm.map((axis) => tensor.dims[axis] ?? 1);
  const steps = perm.map((axis) => strides[axis] ?? 1);
  const data = rearrange(tensor.data, elementCount(dims), (index) => {
    let rest = index;
    let at = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      const size = dims[axis] ?? 1;
      at += (rest % size) * (steps[axis] ?? 0);
      rest = Math.floor(rest / size);
    }
    return at;
  });
  return { dataType: tensor.dataType, dims, data };
}

/** Gather along one axis of a constant; index -1 stands for a zero. */
export function foldGather(tensor: Tensor, axis: number, indices: readonly number[]): Tensor {
  const inner = elementCount(tensor.dims.slice(axis + 1));
  const size = tensor.dims[axis] ?? 1;
  const dims = tensor.dims.with(axis, indices.length);
  const data = rearrange(tensor.data, elementCount(dims), (index) => {
    const outer = Math.floor(index / (inner * indices.length));
    const picked = indices[Math.floor(index / inner) % indices.length] ?? -1;
    return picked < 0 ? -1 : (outer * size + picked) * inner + (index % inner);
  });
  return { dataType: tensor.dataType, dims, data };
}
