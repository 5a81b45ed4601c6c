import {
  type AxisSize,
  type Graph,
  GraphBuilder,
  isBatchAxis,
  joinGraphs,
  prune,
  renameValues,
  type ValueType,
} from '@faultline/onnx';
import type { ShapedProgram } from './program-shape.ts';
import { EXAMPLES } from './slots.ts';
import { untyped } from './victim-graph.ts';

const floats = (dims: readonly AxisSize[]): ValueType => ({ dataType: 'float32', dims });

/** Graphs that will be joined, and the types of their values. */
export class Assembly {
  readonly #graphs: Graph[] = [];
  readonly types = new Map<string, ValueType>();

  add(graph: Graph, types: Iterable<readonly [string, ValueType]>): void {
    this.#graphs.push(graph);
    for (const [name, type] of types) this.types.set(name, type);
    for (const [name, tensor] of graph.initializers)
      this.types.set(name, { dataType: tensor.dataType, dims: tensor.dims });
  }

  /** A program, its inner values named apart, its slots under the names that `at` gives them. */
  addProgram({ program, graph, types }: ShapedProgram, at: (slot: string) => string): void {
    const border = new Set([...graph.inputs, ...graph.outputs].map((value) => value.name));
    const rename = (name: string) => (border.has(name) ? at(name) : `${program.role}/${name}`);
    this.add(
      renameValues(graph, rename),
      Array.from(types, ([name, type]) => [rename(name), type] as const),
    );
  }

  /** A value that comes from outside. */
  take(name: string, dims: readonly AxisSize[]): void {
    if (!this.types.has(name)) this.types.set(name, floats(dims));
  }

  /** A few nodes that make the value `name` of `source`; `typed` notes the shape of a value between the two. */
  glue(
    name: string,
    source: string,
    [sourceDims, dims]: readonly [readonly AxisSize[], readonly AxisSize[]],
    make: (b: GraphBuilder, typed: (value: string, dims: readonly AxisSize[]) => string) => string,
  ): void {
    const b = new GraphBuilder({ prefix: `glue/${name}/` });
    b.input(source, []);
    const types = new Map([[source, floats(sourceDims)]]);
    const made = make(b, (value, between) => {
      types.set(value, floats(between));
      return value;
    });
    b.output(made, undefined, 'unknown', name);
    for (const value of [made, name]) types.set(value, floats(dims));
    this.add(b.graph(), types);
  }

  /** Whether a node makes this value; others come from outside. */
  makes(name: string): boolean {
    return this.#graphs.some(({ nodes }) => nodes.some(({ outputs }) => outputs.includes(name)));
  }

  /** One graph of everything that these values need. */
  joined(outputs: readonly string[]): Graph {
    const graph = joinGraphs(this.#graphs, outputs.map(untyped));
    const inputs = graph.inputs.map((input) => {
      const dims = this.types.get(input.name)?.dims.map((size) => (isBatchAxis(size) ? EXAMPLES : size));
      return { ...input, dataType: 'float32' as const, dims };
    });
    return prune({ ...graph, inputs });
  }
}
