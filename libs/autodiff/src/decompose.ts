import type { Graph, Node, ValueType } from '@faultline/onnx';
import { NodeContext } from './context.ts';
import { decompositionOf } from './decompositions/index.ts';
import type { Value } from './dims.ts';
import { Expressions } from './expressions.ts';

/** A graph and the types of its values. */
export interface TypedGraph {
  readonly graph: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
}

/**
 * Replaces nodes for which there is no rule, but a decomposition, by operators that have rules.
 * @param chosen whether a node is to be replaced
 * @param taken names that must not be made
 * @param report is told of nodes whose form has no decomposition, which stay; it may throw
 */
export function decompose(
  { graph, types }: TypedGraph,
  chosen: (node: Node) => boolean,
  typedValue: (name: string) => Value,
  opset: number,
  taken: Iterable<string>,
  report: (node: Node, error: unknown) => void,
): TypedGraph {
  const replaceable = (node: Node) => node.domain === '' && decompositionOf(node.op) !== undefined && chosen(node);
  if (!graph.nodes.some(replaceable)) return { graph, types };
  const nodes: Node[] = [];
  const initializers = new Map(graph.initializers);
  const all = new Map(types);
  const names = [...taken, ...graph.nodes.flatMap(({ outputs }) => outputs)];
  let count = 0;
  for (const node of graph.nodes) {
    const decomposition = replaceable(node) ? decompositionOf(node.op) : undefined;
    if (decomposition === undefined) {
      nodes.push(node);
      continue;
    }
    const prefix = `${node.op.toLowerCase()}${count++}/`;
    const e = new Expressions({ ...graph, nodes, initializers }, names, { prefix, types: all });
    const context = new NodeContext({
      node,
      opset,
      e,
      typedValue,
      gradOf: () => undefined,
      wanted: () => false,
      producerOf: () => undefined,
    });
    let made: ReturnType<typeof decomposition>;
    try {
      made = decomposition(context);
    } catch (error) {
      report(node, error);
      nodes.push(node);
      continue;
    }
    nodes.push(...e.graph.nodes);
    for (const [name, tensor] of e.graph.initializers) initializers.set(name, tensor);
    for (const [name, type] of e.types) all.set(name, type);
    for (const [i, name] of node.outputs.entries()) {
      const value = made[i];
      if (name === '' || value === undefined) continue;
      nodes.push({ name: '', op: 'Identity', domain: '', inputs: [value.name], outputs: [name], attributes: {} });
    }
  }
  return { graph: { ...graph, nodes, initializers }, types: all };
}
