import type { DataType, Tensor } from '@faultline/onnx';
import { Tensor as OrtTensor } from 'onnxruntime-node';

export { OrtTensor };

/** Views a tensor as one of the runtime's; copies nothing. float16 and string tensors are not fed to sessions. */
export function toOrt(tensor: Tensor): OrtTensor {
  const { data, dims } = tensor;
  if (tensor.dataType === 'bool') return new OrtTensor('bool', data as Uint8Array, dims);
  if (data instanceof Float32Array) return new OrtTensor('float32', data, dims);
  if (data instanceof Float64Array) return new OrtTensor('float64', data, dims);
  if (data instanceof BigInt64Array) return new OrtTensor('int64', data, dims);
  if (data instanceof Int32Array) return new OrtTensor('int32', data, dims);
  if (data instanceof Uint8Array) return new OrtTensor('uint8', data, dims);
  throw new TypeError(`a ${tensor.dataType} tensor cannot be fed to a session; convert it first`);
}

/** Views a tensor of the runtime as one of ours; copies nothing. */
export function fromOrt(tensor: OrtTensor): Tensor {
  return { dataType: tensor.type as DataType, dims: tensor.dims, data: tensor.data as Tensor['data'] };
}

/** The elements of a float32 tensor of the runtime. */
export function float32Data(tensor: OrtTensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data;
  throw new TypeError(`expected a float32 tensor, got ${tensor.type}`);
}
