import { type common, type DenseTensor, decodeTensor, encodeTensor, TensorError } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Cost, Parameters, Tensors } from '@faultline/victim';

/** More axes than any slot has; the contract's limit. */
export const MAX_AXES = 8;

/** Longest name that is worth repeating in an error. */
const SHOWN_NAME = 80;

const MAX_CALLER_CHARACTERS = 128;

/** A name of the request as it stands in field paths and messages. */
export const shown = (name: string): string => (name.length > SHOWN_NAME ? `${name.slice(0, SHOWN_NAME)}…` : name);

/** @throws FaultlineError when the caller says more about itself than the contract allows. */
export function checkContext(context: common.RequestContext | undefined, field: string): void {
  for (const [name, value] of [
    ['caller', context?.caller ?? ''],
    ['idempotency_key', context?.idempotencyKey ?? ''],
  ] as const) {
    if (value.length > MAX_CALLER_CHARACTERS)
      throw FaultlineError.invalid(
        `${field}.${name}`,
        `has ${value.length} characters; give at most ${MAX_CALLER_CHARACTERS}`,
      );
  }
}

/** @throws FaultlineError naming the field when the tensor is missing or malformed. */
export function tensorOf(tensor: common.Tensor | undefined, field: string): DenseTensor {
  if (tensor === undefined) throw FaultlineError.invalid(field, 'is missing');
  if (tensor.dims.length > MAX_AXES)
    throw FaultlineError.invalid(field, `has ${tensor.dims.length} axes; at most ${MAX_AXES} are allowed`);
  try {
    return decodeTensor(tensor);
  } catch (error) {
    if (error instanceof TensorError) throw FaultlineError.invalid(field, error.message);
    throw error;
  }
}

/** @throws FaultlineError naming the field when the tensor is missing, malformed or not float32. */
export function floatTensorOf(tensor: common.Tensor | undefined, field: string): DenseTensor<Float32Array> {
  const { dims, data } = tensorOf(tensor, field);
  if (!(data instanceof Float32Array)) throw FaultlineError.invalid(field, 'must be float32');
  return { dims, data };
}

/** Each tensor under its name. @throws FaultlineError when a name stands twice. */
function byName<Value>(
  named: readonly common.NamedTensor[],
  field: string,
  read: (tensor: common.Tensor | undefined, field: string) => Value,
): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const { name, tensor } of named) {
    const path = `${field}[${shown(name)}]`;
    if (name === '') throw FaultlineError.invalid(path, 'has no name');
    if (values.has(name)) throw FaultlineError.invalid(path, 'is given twice');
    values.set(name, read(tensor, path));
  }
  return values;
}

/** Tensors that own their memory: a view on the message would drag the whole message to the compute thread. */
export function ownTensors(named: readonly common.NamedTensor[], field: string): Tensors {
  return byName(named, field, (tensor, path) => {
    const { dims, data } = tensorOf(tensor, path);
    return { dims, data: data.slice() };
  });
}

/** Parameters by name, of their own memory. @throws FaultlineError when one is not float32. */
export function parametersOf(named: readonly common.NamedTensor[], field: string): Parameters {
  return Object.fromEntries(byName(named, field, (tensor, path) => floatTensorOf(tensor, path).data.slice()));
}

/**
 * Parameters of `steps` steps, their shapes checked: [examples] or [1], and in steps [steps, examples] or [steps, 1].
 * @throws FaultlineError
 */
export function stepParameters(
  named: readonly common.NamedTensor[],
  field: string,
  steps: number,
  examples: number,
): Parameters {
  const read = (tensor: common.Tensor | undefined, path: string) => {
    const { dims, data } = floatTensorOf(tensor, path);
    const rows = dims.length === 2 ? dims[0] : 1;
    const columns = dims.at(-1);
    if (
      dims.length < 1 ||
      dims.length > 2 ||
      rows !== (dims.length === 2 ? steps : 1) ||
      !(columns === examples || columns === 1)
    )
      throw FaultlineError.invalid(
        path,
        `is [${dims.join(', ')}]; give [${examples}] or [${steps}, ${examples}], or where it is shared [1] or [${steps}, 1]`,
      );
    return data.slice();
  };
  return Object.fromEntries(byName(named, field, read));
}

export const namedTensor = (name: string, tensor: DenseTensor): common.NamedTensor => ({
  name,
  tensor: encodeTensor(tensor),
});

export const namedTensors = (tensors: Tensors): common.NamedTensor[] =>
  Array.from(tensors, ([name, tensor]) => namedTensor(name, tensor));

export const costMessage = (cost: Cost): common.EvaluationCost => ({ ...cost });
