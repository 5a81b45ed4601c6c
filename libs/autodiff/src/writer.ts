import {
  type Attributes,
  type AxisSize,
  type DataType,
  float32,
  float64,
  type Graph,
  GraphBuilder,
  int,
  isBatchAxis,
  knownValues,
  OnnxError,
  type Tensor,
  type ValueType,
  valueNames,
} from '@faultline/onnx';
import { type Dims, describeSize, type Value } from './dims.ts';

const isPlain = (attributes: Attributes) =>
  Object.values(attributes).every(({ type }) => type !== 'tensor' && type !== 'graph');

const keyOf = (op: string, inputs: readonly string[], attributes: Attributes) =>
  JSON.stringify([op, inputs, Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1))]);

/**
 * Writes nodes beside a forward graph. Equal expressions are written once; those of the forward graph are reused.
 * Keeps track of the values that are known before the graph runs.
 */
export class GraphWriter {
  readonly #builder: GraphBuilder;
  readonly #constants: Map<string, Tensor>;
  readonly #written = new Map<string, string>();
  readonly #types = new Map<string, ValueType>();

  /** Where axes that are not of fixed size can be read from, by what they are. */
  readonly #sources = new Map<string, { readonly value: Value; readonly axis: number }>();

  /** `taken` holds names that must not be made; names made start with `prefix`; shapes that `types` tells are known. */
  constructor(
    graph: Graph,
    taken: Iterable<string>,
    options: { readonly prefix?: string; readonly types?: ReadonlyMap<string, ValueType> } = {},
  ) {
    const { prefix = 'backward/', types } = options;
    const known = knownValues(graph, types);
    for (const name of [...graph.inputs.map((input) => input.name), ...graph.nodes.flatMap(({ outputs }) => outputs)]) {
      const type = types?.get(name);
      for (const [axis, size] of (type?.dims ?? []).entries()) {
        const key = describeSize(size);
        if (type === undefined || !isBatchAxis(size) || this.#sources.has(key)) continue;
        this.#sources.set(key, { value: { name, ...type }, axis });
      }
    }
    this.#builder = new GraphBuilder({ prefix, taken: [...valueNames(graph), ...taken] });
    this.#constants = new Map(graph.initializers);
    // An initializer that is also an input is a default value, which the caller may replace.
    for (const input of graph.inputs) this.#constants.delete(input.name);
    for (const node of graph.nodes) {
      const [made] = node.outputs;
      if (node.domain !== '' || made === undefined || node.outputs.length > 1) continue;
      const [source = ''] = node.inputs;
      const constant = known.get(made) ?? (node.op === 'Identity' ? this.#constants.get(source) : undefined);
      if (constant !== undefined) this.#constants.set(made, constant);
      else if (isPlain(node.attributes)) this.#written.set(keyOf(node.op, node.inputs, node.attributes), made);
    }
  }

  /** The nodes and constants written so far. */
  get graph(): Graph {
    return this.#builder.graph('backward');
  }

  /** Types of the values written so far. */
  get types(): ReadonlyMap<string, ValueType> {
    return this.#types;
  }

  /** A value of the forward graph that has an axis of this size, an input where one has; undefined where none has. */
  sourceOf(size: AxisSize): { readonly value: Value; readonly axis: number } | undefined {
    return this.#sources.get(describeSize(size));
  }

  #typed(value: Value): Value {
    this.#types.set(value.name, { dataType: value.dataType, dims: value.dims });
    return value;
  }

  /** The elements of a value that is known before the graph runs. */
  constantOf(name: string): Tensor | undefined {
    return this.#constants.get(name);
  }

  /** The number of a one-element floating constant. */
  numberOf({ name }: Value): number | undefined {
    const data = this.#constants.get(name)?.data;
    return data?.length === 1 && (data instanceof Float32Array || data instanceof Float64Array) ? data[0] : undefined;
  }

  /** Writes a node with one output of the given shape. */
  node(
    op: string,
    inputs: readonly Value[],
    dims: Dims,
    attributes: Attributes = {},
    dataType: DataType = inputs[0]?.dataType ?? 'float32',
  ): Value {
    const names = inputs.map(({ name }) => name);
    const plain = isPlain(attributes);
    const key = keyOf(op, names, plain ? attributes : {});
    const known = plain ? this.#written.get(key) : undefined;
    const name = known ?? this.#builder.op(op, names, attributes);
    if (plain) this.#written.set(key, name);
    return this.#typed({ name, dataType, dims });
  }

  /** Parts of the given sizes along an axis. */
  split(a: Value, axis: number, sizes: readonly number[]): Value[] {
    if (sizes.length === 1) return [a];
    const names = sizes.map(() => this.#builder.fresh('split'));
    this.#builder.add('Split', [a.name, this.integers(sizes).name], { axis: int(axis) }, names);
    return names.map((name, i) => this.#typed({ name, dataType: a.dataType, dims: a.dims.with(axis, sizes[i] ?? 0) }));
  }

  constant(value: Tensor): Value {
    const name = this.#builder.constant(value);
    this.#constants.set(name, value);
    return this.#typed({ name, dataType: value.dataType, dims: value.dims });
  }

  /** A constant made at its first use; the key tells what it holds. */
  shared(key: string, make: () => Tensor): Value {
    const known = this.#written.get(key);
    const held = known === undefined ? undefined : this.#constants.get(known);
    if (known !== undefined && held !== undefined) return { name: known, dataType: held.dataType, dims: held.dims };
    const made = this.constant(make());
    this.#written.set(key, made.name);
    return made;
  }

  /** A floating constant of one element, shared between uses. */
  scalar(value: number, dataType: DataType, dims: readonly number[] = []): Value {
    if (dataType !== 'float32' && dataType !== 'float64') {
      throw new OnnxError(`gradients are computed in float32 and float64; a value of type ${dataType} is on the way`);
    }
    const key = `scalar ${dataType} [${dims}] ${Object.is(value, -0) ? '-0' : value}`;
    return this.shared(key, () => (dataType === 'float32' ? float32([value], dims) : float64([value], dims)));
  }

  /** A floating constant of the given elements. */
  floating(values: Float64Array, dims: readonly number[], dataType: DataType): Value {
    return this.constant(dataType === 'float64' ? float64(values, dims) : float32(Float32Array.from(values), dims));
  }

  integers(values: readonly number[]): Value {
    const name = this.#builder.ints(values);
    return this.#typed({ name, dataType: 'int64', dims: [values.length] });
  }
}
