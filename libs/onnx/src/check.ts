import { valueNames } from './edit.ts';
import { describeNode, type Graph, OnnxError } from './model.ts';
import { checkSizes } from './sizes.ts';

/** Domains whose operators the stock runtime has. */
const KNOWN_DOMAINS: ReadonlySet<string> = new Set(['', 'ai.onnx.ml', 'com.microsoft', 'com.microsoft.nchwc']);

const MOST_NODES = 200_000;

/** Every value is made once, and before it is read, in a graph and in those its nodes hold. */
function checkOrder(graph: Graph, outer: ReadonlySet<string>): void {
  const all = valueNames(graph);
  const made = new Set<string>();
  const make = (name: string, by: string) => {
    if (made.has(name)) throw new OnnxError(`${by} makes '${name}', which is made already: rename one of the two`);
    made.add(name);
  };
  for (const { name } of graph.inputs) if (!graph.initializers.has(name)) make(name, 'an input of the graph');
  for (const name of graph.initializers.keys()) make(name, 'an initializer');
  const read = (name: string, by: string) => {
    if (name === '' || made.has(name) || outer.has(name)) return;
    throw new OnnxError(
      all.has(name)
        ? `${by} reads '${name}' before it is made: the nodes form a circle or are out of order`
        : `${by} reads '${name}', which nothing makes: an input, initializer or node is missing`,
    );
  };
  for (const node of graph.nodes) {
    if (!KNOWN_DOMAINS.has(node.domain))
      throw new OnnxError(`${describeNode(node)}: the runtime has no operators of the domain '${node.domain}'`);
    for (const name of node.inputs) read(name, describeNode(node));
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.type === 'graph') checkOrder(attribute.value, new Set([...outer, ...made]));
    }
    for (const name of node.outputs) if (name !== '') make(name, describeNode(node));
  }
  for (const { name } of graph.outputs) read(name, 'an output of the graph');
}

/**
 * Checks what the runtime would answer with a crash, a hang or a riddle: values made twice, never, or in a circle, unknown
 * domains, sizes beyond memory where they follow from constants and the inputs' shapes.
 * @throws OnnxError that names the node or value and what is wrong with it.
 */
export function checkGraph(graph: Graph): void {
  if (graph.nodes.length > MOST_NODES)
    throw new OnnxError(`the graph has ${graph.nodes.length} nodes; at most ${MOST_NODES} are run`);
  if (graph.outputs.length === 0) throw new OnnxError('the graph has no outputs');
  checkOrder(graph, new Set());
  checkSizes(graph);
}
