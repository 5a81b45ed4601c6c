import { freeValues, type Graph, type Node, producers, type ValueInfo } from '@faultline/onnx';

/** Operators that only write their first input's elements in another shape. */
const RESHAPES: ReadonlySet<string> = new Set(['Reshape', 'Squeeze', 'Unsqueeze']);

const readsOf = ({ inputs, attributes }: Node): string[] => [
  ...inputs,
  ...Object.values(attributes).flatMap((attribute) =>
    attribute.type === 'graph' ? [...freeValues(attribute.value)] : [],
  ),
];

/**
 * Some outputs as they are before they are only reshaped: the runtime would copy their elements, a view of them costs nothing.
 * Elements and names stay, shapes are left to the runtime.
 * @param chosen outputs that may come in another shape
 */
export function withoutLastReshapes(graph: Graph, chosen: ReadonlySet<string>): Graph {
  const makers = producers(graph);
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const readers = new Map<string, number>();
  for (const name of graph.nodes.flatMap(readsOf)) readers.set(name, (readers.get(name) ?? 0) + 1);
  /** The node that only reshapes what this value is made of; undefined where others read that, or nothing makes it. */
  const reshapeOf = (name: string): Node | undefined => {
    const node = makers.get(name);
    const [input = ''] = node?.inputs ?? [];
    const isReshape = node !== undefined && node.domain === '' && RESHAPES.has(node.op);
    return isReshape && makers.has(input) && readers.get(input) === 1 && !outputs.has(input) ? node : undefined;
  };
  const dropped = new Set<Node>();
  const names = new Map<string, string>();
  for (const output of chosen) {
    let source = output;
    let node = outputs.has(output) && !readers.has(output) ? reshapeOf(source) : undefined;
    while (node !== undefined) {
      dropped.add(node);
      source = node.inputs[0] ?? '';
      node = reshapeOf(source);
    }
    if (source !== output) names.set(source, output);
  }
  const replaced = new Set(names.values());
  const nodes = graph.nodes
    .filter((node) => !dropped.has(node))
    .map((node) => ({ ...node, outputs: node.outputs.map((name) => names.get(name) ?? name) }));
  const open = (info: ValueInfo): ValueInfo => (replaced.has(info.name) ? { ...info, dims: undefined } : info);
  return { ...graph, nodes, outputs: graph.outputs.map(open) };
}
