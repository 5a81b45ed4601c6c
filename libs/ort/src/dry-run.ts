import {
  type AxisSize,
  type DataType,
  type Graph,
  modelOf,
  OnnxError,
  type Tensor,
  type ValueInfo,
  type ValueType,
  valueNames,
} from '@faultline/onnx';
import { checkElementSizes } from './element-sizes.ts';
import { Session } from './session.ts';
import { type OrtTensor, toOrt } from './tensors.ts';

/** Two sizes, so that what follows the batch shows; neither is 1, which could hide behind broadcasting. */
const BATCH_SIZES = [2, 3] as const;

function axisSize(name: string, small: number, large: number): AxisSize {
  if (small === large) return small;
  const batch = large - small;
  if (small !== batch * BATCH_SIZES[0]) {
    throw new OnnxError(
      `value '${name}' has an axis of ${small} at batch ${BATCH_SIZES[0]} but ${large} at batch ${BATCH_SIZES[1]}: not a multiple of it`,
    );
  }
  return { batch };
}

/** Makes an input of the given type at a batch size: zeros unless the caller knows better. */
export type InputMaker = (input: ValueInfo, batch: number) => Tensor;

/** Inputs filled with a constant, symbolic axes replaced by the batch size. The value 0.5 keeps clear of logarithms of zero. */
export const halves: InputMaker = (input, batch) => {
  if (input.dims === undefined) throw new OnnxError(`input '${input.name}' has no known rank`);
  const dims = input.dims.map((dim) => (typeof dim === 'number' ? dim : batch));
  const count = dims.reduce((product, size) => product * size, 1);
  switch (input.dataType) {
    case 'float32':
      return { dataType: 'float32', dims, data: new Float32Array(count).fill(0.5) };
    case 'float64':
      return { dataType: 'float64', dims, data: new Float64Array(count).fill(0.5) };
    case 'int64':
      return { dataType: 'int64', dims, data: new BigInt64Array(count) };
    case 'bool':
      return { dataType: 'bool', dims, data: new Uint8Array(count) };
    default:
      throw new OnnxError(`input '${input.name}' is ${input.dataType}; inputs are float32, float64, int64 or bool`);
  }
};

async function valuesAt(
  graph: Graph,
  names: readonly string[],
  batch: number,
  makeInput: InputMaker,
): Promise<Map<string, OrtTensor>> {
  const feeds = Object.fromEntries(graph.inputs.map((input) => [input.name, toOrt(makeInput(input, batch))]));
  await checkElementSizes(graph, feeds);
  const outputs = names.map((name): ValueInfo => ({ name, dataType: 'unknown', dims: undefined }));
  await using session = await Session.create(modelOf({ ...graph, outputs }), { optimization: 'disabled' });
  return new Map(Object.entries(await session.run(feeds)));
}

/**
 * Learns the type and shape of every value of a graph by running it at two batch sizes with all inner values as outputs.
 * Every symbolic axis of an input is taken for the batch.
 * @throws OnnxError when an axis is neither fixed nor a multiple of the batch.
 */
export async function dryRun(graph: Graph, makeInput: InputMaker = halves): Promise<ReadonlyMap<string, ValueType>> {
  const inputs = new Set(graph.inputs.map((input) => input.name));
  const inner = [...valueNames(graph)].filter((name) => !graph.initializers.has(name) && !inputs.has(name));
  const [small, large] = [
    await valuesAt(graph, inner, BATCH_SIZES[0], makeInput),
    await valuesAt(graph, inner, BATCH_SIZES[1], makeInput),
  ];
  const types = new Map<string, ValueType>();
  for (const input of graph.inputs) {
    const [first, second] = [makeInput(input, BATCH_SIZES[0]), makeInput(input, BATCH_SIZES[1])];
    types.set(input.name, typeOf(input.name, first.dataType, first.dims, second.dims));
  }
  for (const [name, tensor] of graph.initializers) types.set(name, { dataType: tensor.dataType, dims: tensor.dims });
  for (const [name, tensor] of small) {
    types.set(name, typeOf(name, tensor.type as DataType, tensor.dims, large.get(name)?.dims ?? tensor.dims));
  }
  return types;
}

function typeOf(name: string, dataType: DataType, small: readonly number[], large: readonly number[]): ValueType {
  return { dataType, dims: small.map((size, axis) => axisSize(name, size, large[axis] ?? size)) };
}
