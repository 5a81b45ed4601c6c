import { allValueNames, type Graph, GraphBuilder, OnnxError, renameValues } from '@faultline/onnx';

/** Writes what stands in the place of a value. */
export type Replacement = (b: GraphBuilder, value: string) => string;

/**
 * Puts nodes between the inputs of a graph and those that read them; other inputs stay as they are.
 */
export function replaceInputs(graph: Graph, replacements: ReadonlyMap<string, Replacement>): Graph {
  const b = new GraphBuilder({ prefix: 'trap/', taken: allValueNames(graph) });
  const seen = new Map<string, string>();
  for (const [name, replacement] of replacements) seen.set(name, replacement(b, name));
  const { nodes, initializers } = b.graph();
  const rest = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map((name) => seen.get(name) ?? name) }));
  return { ...graph, nodes: [...nodes, ...rest], initializers: new Map([...graph.initializers, ...initializers]) };
}

/** Puts nodes behind an output of a graph; the result has its name. @throws OnnxError for a value that is no output */
export function replaceOutput(graph: Graph, output: string, replacement: Replacement): Graph {
  if (!graph.outputs.some(({ name }) => name === output)) throw new OnnxError(`'${output}' is no output of the graph`);
  const inner = `${output}/before`;
  const { nodes, initializers, inputs } = renameValues(graph, (name) => (name === output ? inner : name));
  const b = new GraphBuilder({ prefix: 'trap/', taken: allValueNames({ ...graph, nodes }) });
  const made = replacement(b, inner);
  const added = b.graph();
  return {
    ...graph,
    inputs,
    nodes: [
      ...nodes,
      ...added.nodes,
      { name: '', op: 'Identity', domain: '', inputs: [made], outputs: [output], attributes: {} },
    ],
    initializers: new Map([...initializers, ...added.initializers]),
  };
}
