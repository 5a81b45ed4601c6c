import { GraphBuilder } from './builder.ts';
import { valueNames } from './edit.ts';
import type { Attribute, Graph, Node } from './model.ts';

/** Names of all values of a graph and of the graphs that its nodes hold. */
export function allValueNames(graph: Graph, into = new Set<string>()): Set<string> {
  for (const name of valueNames(graph)) into.add(name);
  for (const node of graph.nodes) {
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.type === 'graph') allValueNames(attribute.value, into);
    }
  }
  return into;
}

/**
 * Replaces one node: writes nodes before it with the builder and returns the one that makes its outputs, which may be the
 * node itself; undefined when the nodes written make them already.
 */
export type NodeRewrite = (node: Node, b: GraphBuilder, graph: Graph) => Node | undefined;

/** Rewrites every node of a graph and of the graphs that its nodes hold, inner ones first. New names start with `prefix`. */
export function rewriteNodes(graph: Graph, rewrite: NodeRewrite, prefix: string): Graph {
  const taken = allValueNames(graph);
  let graphs = 0;
  const rewritten = (outer: Graph): Graph => {
    const b = new GraphBuilder({ prefix: graphs++ === 0 ? prefix : `${prefix}${graphs}/`, taken });
    for (const node of outer.nodes) {
      const attributes = Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => [
        name,
        attribute.type === 'graph' ? { type: 'graph', value: rewritten(attribute.value) } : attribute,
      ]);
      const last = rewrite({ ...node, attributes: Object.fromEntries(attributes) }, b, outer);
      if (last !== undefined) b.append([last]);
    }
    const { nodes, initializers } = b.graph();
    return { ...outer, nodes, initializers: new Map([...outer.initializers, ...initializers]) };
  };
  return rewritten(graph);
}
