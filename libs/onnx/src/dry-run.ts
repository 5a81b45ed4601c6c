import { valueNames } from './edit.ts';
import { checkElementSizes } from './element-sizes.ts';
import { type Graph, OnnxError, type ValueInfo } from './model.ts';
import { type DataType, elementCount, type Tensor } from './tensor.ts';
import { type AxisSize, axisSizeOf, DRY_RUN_BATCHES, isBatchAxis, type ValueType } from './value-type.ts';

/** Computes the outputs of a graph from its inputs, with whatever runtime there is; the same graph may come several times. */
export type RunGraph = (graph: Graph, inputs: ReadonlyMap<string, Tensor>) => Promise<ReadonlyMap<string, Tensor>>;

/** Makes an input of the given type at a batch size and sizes of further symbolic axes: zeros unless the caller knows better. */
export type InputMaker = (input: ValueInfo, batch: number, axes?: ReadonlyMap<string, number>) => Tensor;

export interface DryRunOptions {
  readonly makeInput?: InputMaker;
  /**
   * Symbolic axes of the inputs that do not follow the batch, each with two sizes that the model takes, such as
   * `{ samples: [16000, 20480] }`. Every other symbolic axis is taken for the batch.
   */
  readonly axes?: Readonly<Record<string, readonly [number, number]>>;
}

/** Inputs filled with a constant. The value 0.5 keeps clear of logarithms of zero. */
export const halves: InputMaker = (input, batch, axes) => {
  if (input.dims === undefined) throw new OnnxError(`input '${input.name}' has no known rank`);
  const dims = input.dims.map((dim) => (typeof dim === 'number' ? dim : (axes?.get(dim) ?? batch)));
  const count = elementCount(dims);
  switch (input.dataType) {
    case 'float32':
      return { dataType: 'float32', dims, data: new Float32Array(count).fill(0.5) };
    case 'float64':
      return { dataType: 'float64', dims, data: new Float64Array(count).fill(0.5) };
    case 'int64':
      return { dataType: 'int64', dims, data: new BigInt64Array(count) };
    case 'int32':
      return { dataType: 'int32', dims, data: new Int32Array(count) };
    case 'uint8':
      return { dataType: 'uint8', dims, data: new Uint8Array(count) };
    case 'bool':
      return { dataType: 'bool', dims, data: new Uint8Array(count) };
    default:
      throw new OnnxError(
        `input '${input.name}' is ${input.dataType}; inputs are float32, float64, int64, int32, uint8 or bool`,
      );
  }
};

/** Sizes at which a graph is run. */
interface Setting {
  readonly batch: number;
  readonly axes: ReadonlyMap<string, number>;
}

/** Two batch sizes, so that what follows the batch shows (neither is 1, which could hide behind broadcasting); then a second size of each axis. */
function settingsOf(axes: NonNullable<DryRunOptions['axes']>): Setting[] {
  const names = Object.keys(axes);
  const first = new Map(names.map((name) => [name, axes[name]?.[0] ?? 0]));
  return [
    ...DRY_RUN_BATCHES.map((batch) => ({ batch, axes: first })),
    ...names.map((name) => ({ batch: DRY_RUN_BATCHES[0], axes: new Map(first).set(name, axes[name]?.[1] ?? 0) })),
  ];
}

function typeOf(name: string, seen: readonly Pick<Tensor, 'dataType' | 'dims'>[], followed: boolean): ValueType {
  const [first] = seen;
  if (first === undefined) throw new OnnxError(`value '${name}' was not made`);
  if (seen.some(({ dims }) => dims.length !== first.dims.length))
    throw new OnnxError(`value '${name}' has a number of axes that depends on its inputs' sizes`);
  const dims = first.dims.map((small, axis): AxisSize => {
    const sizes = seen.map((value) => value.dims[axis] ?? small);
    const size = axisSizeOf(sizes);
    if (isBatchAxis(size) && size.sizes !== undefined && !followed) {
      throw new OnnxError(
        `value '${name}' has an axis of ${small} at batch ${DRY_RUN_BATCHES[0]} but ${sizes[1]} at batch ${DRY_RUN_BATCHES[1]}: not a multiple of it`,
      );
    }
    return size;
  });
  return { dataType: first.dataType as DataType, dims };
}

/**
 * Learns the type and shape of every value of a graph by running it at several sizes with all inner values as outputs:
 * there is no shape-inference engine to keep in step. Sizes that elements decide are bounded before they are made.
 * @throws OnnxError when an axis is neither fixed nor follows the batch (nor `axes`), or a value would be too large.
 */
export async function learnTypes(
  graph: Graph,
  run: RunGraph,
  { makeInput = halves, axes = {} }: DryRunOptions = {},
): Promise<ReadonlyMap<string, ValueType>> {
  const inputs = new Set(graph.inputs.map((input) => input.name));
  const inner = [...valueNames(graph)].filter((name) => !graph.initializers.has(name) && !inputs.has(name));
  const outputs = inner.map((name): ValueInfo => ({ name, dataType: 'unknown', dims: undefined }));
  // One graph for all runs, so that the runtime may load it once.
  const probed = { ...graph, outputs };
  const seen = new Map<string, Pick<Tensor, 'dataType' | 'dims'>[]>();
  const note = (name: string, value: Tensor) => {
    // Only the shape is kept: the elements of all runs would fill the memory.
    const shape = { dataType: value.dataType, dims: [...value.dims] };
    seen.set(name, [...(seen.get(name) ?? []), shape]);
  };
  for (const setting of settingsOf(axes)) {
    const feeds = new Map(
      graph.inputs.map((input): [string, Tensor] => [input.name, makeInput(input, setting.batch, setting.axes)]),
    );
    for (const [name, value] of feeds) note(name, value);
    await checkElementSizes(graph, feeds, run);
    const results = await run(probed, feeds);
    for (const [name, value] of results) note(name, value);
  }
  const types = new Map<string, ValueType>();
  for (const [name, tensor] of graph.initializers) types.set(name, { dataType: tensor.dataType, dims: tensor.dims });
  const followed = Object.keys(axes).length > 0;
  for (const [name, values] of seen) types.set(name, typeOf(name, values, followed));
  return types;
}
