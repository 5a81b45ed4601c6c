import {
  type Graph,
  intAttribute,
  integers,
  isBatchAxis,
  type Node,
  OnnxError,
  stringAttribute,
  type Tensor,
  type ValueType,
  valueNames,
} from '@faultline/onnx';
import type { TypedGraph } from './decompose.ts';
import { type Dims, normalAxes, range, type Value } from './dims.ts';
import { Expressions } from './expressions.ts';

/**
 * Moves a product x W with a constant to the far side of what laid out the rows of x: [a, b] W = a W1 + b W2,
 * and rows that were shifted, padded or merged into other axes are shifted after the product. Windows that overlap, put together from
 * copies of a signal, are then never written out, nor are their gradients. Done where the products together have fewer columns than x.
 * @param kept names of values that must stay: outputs, variables, what subgraphs read
 */
export function distribute({ graph, types }: TypedGraph, kept: ReadonlySet<string>): TypedGraph {
  const layouts = new Layouts(graph, types, kept);
  const isChosen = ({ op, domain, inputs: [x = '', w = ''] }: Node) => {
    const [height = 0, width = 0, ...more] = layouts.constant(w)?.dims ?? [];
    if (op !== 'MatMul' || domain !== '' || more.length > 0) return false;
    const parts = layouts.partsOf(x);
    return parts > 1 && parts * width < height;
  };
  if (!graph.nodes.some(isChosen)) return { graph, types };
  const e = new Expressions(graph, valueNames(graph), { prefix: 'rows/', types });
  const nodes: Node[] = [];
  let written = 0;
  for (const node of graph.nodes) {
    const [x = '', w = ''] = node.inputs;
    if (isChosen(node)) {
      const product = layouts.product(e, x, layouts.typed(w));
      nodes.push(...e.graph.nodes.slice(written));
      written = e.graph.nodes.length;
      nodes.push({ ...node, op: 'Identity', inputs: [product.name], attributes: {} });
    } else nodes.push(node);
  }
  const initializers = new Map([...graph.initializers, ...e.graph.initializers]);
  return { graph: { ...graph, nodes, initializers }, types: new Map([...types, ...e.types]) };
}

/** Whether a node moves rows (along the last axis) without looking into them, and puts zeros at most beside them. */
const MOVES_ROWS: Readonly<Record<string, (node: Node, layouts: Layouts) => boolean>> = {
  Reshape({ inputs: [x = ''], outputs: [y = ''] }, layouts) {
    const [from, to] = [layouts.typed(x).dims, layouts.typed(y).dims];
    return typeof to.at(-1) === 'number' && from.at(-1) === to.at(-1) && to.filter(isBatchAxis).length <= 1;
  },
  Pad(node, layouts) {
    const [x = '', pads = '', filling = '', axes = ''] = node.inputs;
    const last = layouts.typed(x).dims.length - 1;
    const amounts = layouts.constant(pads);
    const zeros = filling === '' || layouts.constant(filling)?.data[0] === 0;
    if (amounts === undefined || !zeros || axes !== '' || stringAttribute(node, 'mode', 'constant') !== 'constant')
      return false;
    return integers(amounts).every((amount, i) => amount === 0 || i % (last + 1) !== last);
  },
  Slice({ inputs: [x = '', , , axes = ''] }, layouts) {
    const rank = layouts.typed(x).dims.length;
    const cut = layouts.constant(axes);
    return cut !== undefined && !normalAxes(integers(cut), rank).includes(rank - 1);
  },
};

/** How the rows of a graph's values came to lie as they lie. */
class Layouts {
  readonly #types: ReadonlyMap<string, ValueType>;
  readonly #constants: ReadonlyMap<string, Tensor>;
  readonly #kept: ReadonlySet<string>;
  readonly #makers = new Map<string, Node>();
  readonly #readers = new Map<string, number>();

  constructor(graph: Graph, types: ReadonlyMap<string, ValueType>, kept: ReadonlySet<string>) {
    const fed = new Set(graph.inputs.map(({ name }) => name));
    this.#types = types;
    this.#constants = new Map([...graph.initializers].filter(([name]) => !fed.has(name)));
    this.#kept = kept;
    for (const node of graph.nodes) {
      for (const name of node.outputs) this.#makers.set(name, node);
      for (const name of node.inputs) this.#readers.set(name, (this.#readers.get(name) ?? 0) + 1);
    }
  }

  constant(name: string): Tensor | undefined {
    return this.#constants.get(name);
  }

  /** @throws OnnxError when the type is missing */
  typed(name: string): Value {
    const type = this.#types.get(name) ?? this.#constants.get(name);
    if (type === undefined) throw new OnnxError(`types: the type of '${name}' is missing`);
    return { name, dataType: type.dataType, dims: type.dims };
  }

  /** Of how many parts a value's rows were put together. */
  partsOf(name: string): number {
    const node = this.#layoutOf(name);
    if (node === undefined) return 1;
    const sources = node.op === 'Concat' ? node.inputs : node.inputs.slice(0, 1);
    return sources.reduce((count, source) => count + this.partsOf(source), 0);
  }

  /** Writes the product of a value's rows with a matrix. */
  product(e: Expressions, name: string, weights: Value): Value {
    const node = this.#layoutOf(name);
    if (node === undefined) return e.matmul(this.typed(name), weights);
    if (node.op === 'Concat') {
      let start = 0;
      const products = node.inputs.map((part) => {
        const rows = range(start, start + this.#rowLength(part));
        start += rows.length;
        return this.product(e, part, e.arrange(weights, 0, rows));
      });
      return e.sum(products);
    }
    const [input = '', ...settings] = node.inputs;
    const product = this.product(e, input, weights);
    const dims: Dims = this.typed(name).dims.with(-1, weights.dims.at(-1) ?? 1);
    if (node.op === 'Reshape') return e.reshape(product, dims);
    const given = settings.filter((setting) => setting !== '').map((setting) => this.typed(setting));
    return e.node(node.op, [product, ...given], dims, node.attributes);
  }

  #rowLength(name: string): number {
    const size = this.typed(name).dims.at(-1);
    return typeof size === 'number' ? size : Number.NaN;
  }

  /** The node that laid out a value's rows; undefined where they were computed, or others read the value as it is. */
  #layoutOf(name: string): Node | undefined {
    const node = this.#makers.get(name);
    if (node === undefined || node.domain !== '' || this.#readers.get(name) !== 1 || this.#kept.has(name))
      return undefined;
    if (node.op !== 'Concat') return MOVES_ROWS[node.op]?.(node, this) ? node : undefined;
    const rank = this.typed(name).dims.length;
    const [axis] = normalAxes([intAttribute(node, 'axis', 0)], rank);
    return axis === rank - 1 && node.inputs.every((part) => this.#rowLength(part) > 0) ? node : undefined;
  }
}
