import { type common, type DenseTensor, decodeTensor, encodeTensor, TensorError } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Cost } from '@faultline/victim';

/** @throws FaultlineError naming the field when the tensor is missing or malformed. */
export function tensorOf(tensor: common.Tensor | undefined, field: string): DenseTensor {
  if (tensor === undefined) throw FaultlineError.invalid(field, 'is missing');
  try {
    return decodeTensor(tensor);
  } catch (error) {
    if (error instanceof TensorError) throw FaultlineError.invalid(field, error.message);
    throw error;
  }
}

/** Parameters by name. @throws FaultlineError when one is not float32. */
export function parametersOf(named: readonly common.NamedTensor[], field: string): Record<string, Float32Array> {
  return Object.fromEntries(
    named.map(({ name, tensor }) => {
      const { data } = tensorOf(tensor, `${field}[${name}]`);
      if (!(data instanceof Float32Array)) throw FaultlineError.invalid(`${field}[${name}]`, 'must be float32');
      // A view on the message would drag the whole message to the compute thread.
      return [name, data.slice()];
    }),
  );
}

/** Tensors that own their memory, so that nothing else is copied along to the compute thread. */
export function ownTensor(tensor: DenseTensor): DenseTensor {
  return { dims: tensor.dims, data: tensor.data.slice() };
}

export const namedTensor = (name: string, tensor: DenseTensor): common.NamedTensor => ({
  name,
  tensor: encodeTensor(tensor),
});

export const costMessage = (cost: Cost): common.EvaluationCost => ({ ...cost });
