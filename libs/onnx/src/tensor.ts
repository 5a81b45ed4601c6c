/** Element types of ONNX tensors that Faultline reads and writes. */
export type DataType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'bool'
  | 'string';

/** Element arrays: float16 as its bit patterns, bool as 0 and 1. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];

/** A dense row-major tensor; an empty `dims` is a scalar. */
export interface Tensor {
  readonly dataType: DataType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** Number of elements of a tensor with these axis sizes; 1 for a scalar. */
export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

function checked(dataType: DataType, dims: readonly number[], data: TensorData): Tensor {
  if (elementCount(dims) !== data.length) {
    throw new RangeError(
      `a ${dataType} tensor [${dims.join(', ')}] needs ${elementCount(dims)} elements, got ${data.length}`,
    );
  }
  return { dataType, dims: [...dims], data };
}

/** A float32 tensor; without `dims`, a vector. Copies plain arrays, keeps typed ones. */
export function float32(data: ArrayLike<number>, dims: readonly number[] = [data.length]): Tensor {
  return checked('float32', dims, data instanceof Float32Array ? data : Float32Array.from(data));
}

/** A float64 tensor; without `dims`, a vector. Copies plain arrays, keeps typed ones. */
export function float64(data: ArrayLike<number>, dims: readonly number[] = [data.length]): Tensor {
  return checked('float64', dims, data instanceof Float64Array ? data : Float64Array.from(data));
}

/** An int64 tensor; without `dims`, a vector. The form in which ONNX takes shapes, axes and indices. */
export function int64(data: readonly number[], dims: readonly number[] = [data.length]): Tensor {
  return checked('int64', dims, BigInt64Array.from(data, BigInt));
}

/** A bool tensor; without `dims`, a vector. */
export function bool(data: readonly boolean[], dims: readonly number[] = [data.length]): Tensor {
  return checked('bool', dims, Uint8Array.from(data, Number));
}

/** A scalar of a floating type. */
export function scalar(value: number, dataType: 'float32' | 'float64' = 'float32'): Tensor {
  return dataType === 'float32' ? float32([value], []) : float64([value], []);
}

/**
 * The elements of an integer tensor as numbers, for shapes, axes and indices.
 * @throws TypeError when the tensor is not of an integer type.
 */
export function integers(tensor: Tensor): number[] {
  const { data } = tensor;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Array.from(data, Number);
  if (data instanceof Int32Array || data instanceof Uint32Array || data instanceof Int16Array) return Array.from(data);
  if (data instanceof Int8Array || data instanceof Uint8Array || data instanceof Uint16Array) return Array.from(data);
  throw new TypeError(`expected an integer tensor, got ${tensor.dataType}`);
}

/**
 * The elements of a float32 or float64 tensor as numbers.
 * @throws TypeError when the tensor is of another type.
 */
export function floats(tensor: Tensor): Float32Array | Float64Array {
  if (tensor.data instanceof Float32Array || tensor.data instanceof Float64Array) return tensor.data;
  throw new TypeError(`expected a float32 or float64 tensor, got ${tensor.dataType}`);
}
