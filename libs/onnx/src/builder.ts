import {
  type Attributes,
  type Dimension,
  type Graph,
  int,
  ints,
  type Model,
  type Node,
  OnnxError,
  type ValueInfo,
} from './model.ts';
import { type DataType, float32, float64, int64, type Tensor } from './tensor.ts';

/** Opset and IR version of the graphs that Faultline writes. */
export const OPSET = 21;
export const IR_VERSION = 10;

type FloatType = 'float32' | 'float64';

/**
 * Builds a graph node by node. Methods return the names of the values they make, so that expressions nest.
 * Names are made unique with a prefix; the standard domain is meant throughout.
 */
export class GraphBuilder {
  readonly #nodes: Node[] = [];
  readonly #inputs: ValueInfo[] = [];
  readonly #outputs: ValueInfo[] = [];
  readonly #initializers = new Map<string, Tensor>();
  readonly #scalars = new Map<string, string>();
  readonly #taken: Set<string>;
  #count = 0;
  readonly prefix: string;
  /** Element type of the constants made from plain numbers. */
  readonly floatType: FloatType;

  /** `taken` holds names that must not be made again (those of a graph this one will be joined with). */
  constructor(options: { prefix?: string; floatType?: FloatType; taken?: Iterable<string> } = {}) {
    this.prefix = options.prefix ?? '';
    this.floatType = options.floatType ?? 'float32';
    this.#taken = new Set(options.taken);
  }

  /** A value name not used yet. */
  fresh(hint: string): string {
    let name: string;
    do name = `${this.prefix}${hint}_${this.#count++}`;
    while (this.#taken.has(name));
    this.#taken.add(name);
    return name;
  }

  #claim(name: string): string {
    if (this.#taken.has(name)) throw new OnnxError(`value '${name}' is made twice`);
    this.#taken.add(name);
    return name;
  }

  /** Declares an input of the graph. */
  input(name: string, dims: readonly Dimension[], dataType: DataType = this.floatType): string {
    this.#inputs.push({ name: this.#claim(name), dataType, dims });
    return name;
  }

  /**
   * Declares `value` an output of the graph, under `name` (through an Identity where the names differ). Without `dims`
   * the runtime infers its type.
   */
  output(
    value: string,
    dims?: readonly Dimension[],
    dataType: ValueInfo['dataType'] = dims === undefined ? 'unknown' : this.floatType,
    name = value,
  ): string {
    if (name !== value) this.add('Identity', [value], {}, [name]);
    this.#outputs.push({ name, dataType, dims });
    return name;
  }

  /** Stores a constant tensor (a weight, when it has a name). */
  constant(value: Tensor, name?: string): string {
    const key = name === undefined ? this.fresh('const') : this.#claim(name);
    this.#initializers.set(key, value);
    return key;
  }

  /** A scalar constant of the builder's floating type, shared between uses. */
  scalar(value: number): string {
    const key = `f${Object.is(value, -0) ? '-0' : value}`;
    const known = this.#scalars.get(key);
    if (known !== undefined) return known;
    const made = this.constant(this.floatType === 'float32' ? float32([value], []) : float64([value], []));
    this.#scalars.set(key, made);
    return made;
  }

  /** An int64 vector constant (a shape, axes, repeats), shared between uses. */
  ints(values: readonly number[]): string {
    const key = `i${values.join(',')}`;
    const known = this.#scalars.get(key);
    if (known !== undefined) return known;
    const made = this.constant(int64(values));
    this.#scalars.set(key, made);
    return made;
  }

  /** Adds a node with the given outputs. */
  add(op: string, inputs: readonly string[], attributes: Attributes, outputs: readonly string[], name = ''): void {
    for (const output of outputs) if (output !== '') this.#taken.add(output);
    this.#nodes.push({ name, op, domain: '', inputs, outputs, attributes });
  }

  /** Adds a node with one output and returns it. */
  op(
    op: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output = this.fresh(op.toLowerCase()),
  ): string {
    this.add(op, inputs, attributes, [output]);
    return output;
  }

  /** Copies nodes of another graph as they are; their names must not clash. */
  append(nodes: readonly Node[]): void {
    for (const node of nodes) {
      for (const output of node.outputs) if (output !== '') this.#taken.add(output);
      this.#nodes.push(node);
    }
  }

  plus = (a: string, b: string) => this.op('Add', [a, b]);
  minus = (a: string, b: string) => this.op('Sub', [a, b]);
  times = (a: string, b: string) => this.op('Mul', [a, b]);
  over = (a: string, b: string) => this.op('Div', [a, b]);
  negate = (a: string) => this.op('Neg', [a]);
  matmul = (a: string, b: string) => this.op('MatMul', [a, b]);
  relu = (a: string) => this.op('Relu', [a]);
  reshape = (a: string, shape: readonly number[]) => this.op('Reshape', [a, this.ints(shape)]);
  transpose = (a: string, perm: readonly number[]) => this.op('Transpose', [a], { perm: ints(perm) });
  concat = (values: readonly string[], axis: number) => this.op('Concat', values, { axis: int(axis) });
  reduceSum = (a: string, axes: readonly number[], keepDims = true) =>
    this.op('ReduceSum', [a, this.ints(axes)], { keepdims: int(keepDims ? 1 : 0) });
  reduceMean = (a: string, axes: readonly number[], keepDims = true) =>
    this.op('ReduceMean', [a, this.ints(axes)], { keepdims: int(keepDims ? 1 : 0) });
  reduceMax = (a: string, axes: readonly number[], keepDims = true) =>
    this.op('ReduceMax', [a, this.ints(axes)], { keepdims: int(keepDims ? 1 : 0) });
  slice = (
    a: string,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[],
    steps?: readonly number[],
  ) => this.op('Slice', [a, this.ints(starts), this.ints(ends), this.ints(axes), ...(steps ? [this.ints(steps)] : [])]);

  /** The graph so far. */
  graph(name = 'graph'): Graph {
    return {
      name,
      nodes: [...this.#nodes],
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      initializers: new Map(this.#initializers),
    };
  }

  /** The graph as a model. */
  model(name?: string): Model {
    return modelOf(this.graph(name));
  }
}

/** Wraps a graph of standard operators as a model. */
export function modelOf(graph: Graph, opset = OPSET): Model {
  return { irVersion: IR_VERSION, opset, domains: new Map(), producer: 'faultline', metadata: new Map(), graph };
}
