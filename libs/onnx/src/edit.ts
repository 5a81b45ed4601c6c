import { type Attributes, type Graph, type Node, OnnxError, type ValueInfo } from './model.ts';

/** Names of all values that a graph defines or takes. */
export function valueNames(graph: Graph): Set<string> {
  const names = new Set<string>(graph.initializers.keys());
  for (const input of graph.inputs) names.add(input.name);
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== '') names.add(output);
  return names;
}

/** The node that makes each value. */
export function producers(graph: Graph): Map<string, Node> {
  const made = new Map<string, Node>();
  for (const node of graph.nodes) for (const output of node.outputs) if (output !== '') made.set(output, node);
  return made;
}

function renameInside(attributes: Attributes, rename: (name: string) => string): Attributes {
  if (!Object.values(attributes).some(({ type }) => type === 'graph')) return attributes;
  return Object.fromEntries(
    Object.entries(attributes).map(([name, attribute]) => [
      name,
      attribute.type === 'graph' ? { type: 'graph', value: renameValues(attribute.value, rename) } : attribute,
    ]),
  );
}

/** Renames values throughout a graph and the graphs its nodes hold, its border included. Names that the function does not know it returns unchanged. */
export function renameValues(graph: Graph, rename: (name: string) => string): Graph {
  const renamed = (name: string) => (name === '' ? '' : rename(name));
  const info = (value: ValueInfo) => ({ ...value, name: rename(value.name) });
  return {
    name: graph.name,
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
      attributes: renameInside(node.attributes, rename),
    })),
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    initializers: new Map(Array.from(graph.initializers, ([name, tensor]) => [rename(name), tensor])),
  };
}

/** Prefixes every value of a graph but those in `keep`. */
export function prefixValues(graph: Graph, prefix: string, keep: ReadonlySet<string> = new Set()): Graph {
  return renameValues(graph, (name) => (keep.has(name) ? name : `${prefix}${name}`));
}

/**
 * Joins graphs end to end: a value that one graph outputs feeds the inputs of the same name in later ones.
 * Inputs of the result are those that no earlier graph makes; outputs are the values listed.
 * @throws OnnxError when two graphs make the same value, or a listed output is not made.
 */
export function joinGraphs(graphs: readonly Graph[], outputs: readonly ValueInfo[], name = 'joined'): Graph {
  const made = new Set<string>();
  const inputs = new Map<string, ValueInfo>();
  const initializers = new Map<string, Graph['initializers'] extends ReadonlyMap<string, infer T> ? T : never>();
  const nodes: Node[] = [];
  for (const graph of graphs) {
    for (const input of graph.inputs)
      if (!made.has(input.name) && !inputs.has(input.name)) inputs.set(input.name, input);
    for (const [key, tensor] of graph.initializers) {
      if (made.has(key)) throw new OnnxError(`value '${key}' is made by two of the joined graphs`);
      made.add(key);
      initializers.set(key, tensor);
    }
    for (const node of graph.nodes) {
      for (const output of node.outputs) {
        if (output === '') continue;
        if (made.has(output)) throw new OnnxError(`value '${output}' is made by two of the joined graphs`);
        made.add(output);
      }
      nodes.push(node);
    }
  }
  for (const output of outputs) {
    if (!made.has(output.name) && !inputs.has(output.name))
      throw new OnnxError(`output '${output.name}' is not made by the joined graphs`);
  }
  return { name, nodes, inputs: [...inputs.values()], outputs: [...outputs], initializers };
}

/** The part of a graph that its outputs need: dead nodes, unused initializers and inputs dropped (`keepInputs` stay). */
export function prune(graph: Graph, keepInputs: ReadonlySet<string> = new Set()): Graph {
  const needed = new Set(graph.outputs.map((output) => output.name));
  const nodes: Node[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    nodes.push(node);
    for (const input of node.inputs) if (input !== '') needed.add(input);
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.type === 'graph') for (const name of freeValues(attribute.value)) needed.add(name);
    }
  }
  return {
    name: graph.name,
    nodes: nodes.reverse(),
    inputs: graph.inputs.filter((input) => needed.has(input.name) || keepInputs.has(input.name)),
    outputs: graph.outputs,
    initializers: new Map([...graph.initializers].filter(([name]) => needed.has(name))),
  };
}

/** Values that a subgraph takes from outside. */
export function freeValues(graph: Graph): Set<string> {
  const own = valueNames(graph);
  const free = new Set<string>();
  for (const node of graph.nodes) {
    for (const input of node.inputs) if (input !== '' && !own.has(input)) free.add(input);
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.type === 'graph')
        for (const name of freeValues(attribute.value)) if (!own.has(name)) free.add(name);
    }
  }
  for (const output of graph.outputs) if (!own.has(output.name)) free.add(output.name);
  return free;
}
