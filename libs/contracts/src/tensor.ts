import { DataType, type Tensor } from '../gen/faultline/common/v1alpha1/common.ts';

/** Element arrays that travel in a tensor. */
export type TensorElements = Float32Array | Float64Array | Uint8Array | Int32Array | BigInt64Array;

/** A dense row-major tensor in memory. */
export interface DenseTensor<Elements extends TensorElements = TensorElements> {
  readonly dims: readonly number[];
  readonly data: Elements;
}

const ELEMENT_BYTES: Partial<Record<DataType, number>> = {
  [DataType.DATA_TYPE_FLOAT32]: 4,
  [DataType.DATA_TYPE_FLOAT64]: 8,
  [DataType.DATA_TYPE_UINT8]: 1,
  [DataType.DATA_TYPE_INT32]: 4,
  [DataType.DATA_TYPE_INT64]: 8,
  [DataType.DATA_TYPE_BOOL]: 1,
};

/** Thrown when bytes and dimensions of a tensor disagree; says which and by how much. */
export class TensorError extends Error {
  override name = 'TensorError';
}

function dataTypeOf(data: TensorElements): DataType {
  if (data instanceof Float32Array) return DataType.DATA_TYPE_FLOAT32;
  if (data instanceof Float64Array) return DataType.DATA_TYPE_FLOAT64;
  if (data instanceof Int32Array) return DataType.DATA_TYPE_INT32;
  if (data instanceof BigInt64Array) return DataType.DATA_TYPE_INT64;
  return DataType.DATA_TYPE_UINT8;
}

/** Number of elements of a tensor with these axis sizes. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

/**
 * Puts a tensor on the wire without copying its elements; the elements must not change until the message is sent.
 * @throws TensorError when the number of elements is not the product of `dims`.
 */
export function encodeTensor(tensor: DenseTensor): Tensor {
  const { dims, data } = tensor;
  if (elementCount(dims) !== data.length) {
    throw new TensorError(`tensor [${dims.join(', ')}] needs ${elementCount(dims)} elements but holds ${data.length}`);
  }
  return {
    dataType: dataTypeOf(data),
    dims: [...dims],
    value: { $case: 'raw', value: Buffer.from(data.buffer, data.byteOffset, data.byteLength) },
  };
}

/**
 * Views a received tensor's bytes as elements; copies only where the bytes are not aligned.
 * @throws TensorError when the type is unknown, there are no raw bytes, or bytes and dimensions disagree.
 */
export function decodeTensor(tensor: Tensor): DenseTensor {
  const bytesPerElement = ELEMENT_BYTES[tensor.dataType];
  if (bytesPerElement === undefined) throw new TensorError(`tensor has unsupported data type ${tensor.dataType}`);
  if (tensor.value?.$case !== 'raw') throw new TensorError('tensor holds no raw bytes');
  const raw = tensor.value.value;
  const expected = elementCount(tensor.dims) * bytesPerElement;
  if (raw.byteLength !== expected) {
    throw new TensorError(`tensor [${tensor.dims.join(', ')}] needs ${expected} bytes but holds ${raw.byteLength}`);
  }
  return { dims: tensor.dims, data: viewElements(tensor.dataType, raw, bytesPerElement) };
}

function viewElements(dataType: DataType, raw: Uint8Array, bytesPerElement: number): TensorElements {
  const aligned = raw.byteOffset % bytesPerElement === 0 ? raw : Uint8Array.from(raw);
  const length = aligned.byteLength / bytesPerElement;
  switch (dataType) {
    case DataType.DATA_TYPE_FLOAT32:
      return new Float32Array(aligned.buffer, aligned.byteOffset, length);
    case DataType.DATA_TYPE_FLOAT64:
      return new Float64Array(aligned.buffer, aligned.byteOffset, length);
    case DataType.DATA_TYPE_INT32:
      return new Int32Array(aligned.buffer, aligned.byteOffset, length);
    case DataType.DATA_TYPE_INT64:
      return new BigInt64Array(aligned.buffer, aligned.byteOffset, length);
    default:
      return new Uint8Array(aligned.buffer, aligned.byteOffset, length);
  }
}
