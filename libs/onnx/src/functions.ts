import { renameValues } from './edit.ts';
import { type Attribute, type Attributes, describeNode, type Graph, type Node, OnnxError } from './model.ts';

/** Nested calls beyond this depth are taken for recursion. */
const MOST_DEEP = 32;

/** Nodes that a model may grow to: functions that call each other twice would double it at each level. */
const MOST_NODES = 100_000;

/** A local function of a model. */
export interface FunctionBody {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The nodes with the call's attributes put where the body refers to them. */
  readonly bind: (attributes: Attributes) => readonly Node[];
}

/** The key of a function: calls name it by domain and operator. */
export const functionKey = (domain: string, op: string) => `${domain}:${op}`;

/**
 * Replaces calls of local functions by their bodies.
 * @throws OnnxError when functions call each other in a circle or make the graph too large.
 */
export function inlineFunctions(graph: Graph, functions: ReadonlyMap<string, FunctionBody>): Graph {
  if (functions.size === 0) return graph;
  let calls = 0;
  let total = 0;
  const inlined = (nodes: readonly Node[], depth: number): Node[] =>
    nodes.flatMap((node): Node[] => {
      const body = functions.get(functionKey(node.domain, node.op));
      if (++total > MOST_NODES)
        throw new OnnxError(`the model's functions, inlined, have more than ${MOST_NODES} nodes`);
      if (body === undefined) return [withInlinedGraphs(node, depth)];
      if (depth >= MOST_DEEP)
        throw new OnnxError(`${describeNode(node)}: the model's functions call each other in a circle`);
      const prefix = `${node.name || node.op}/${calls++}/`;
      const border = new Map<string, string>([
        ...body.inputs.map((name, i): [string, string] => [name, node.inputs[i] ?? '']),
        ...body.outputs.flatMap((name, i): [string, string][] => {
          const made = node.outputs[i] ?? '';
          return made === '' ? [] : [[name, made]];
        }),
      ]);
      const called: Graph = {
        name: '',
        nodes: body.bind(node.attributes),
        inputs: [],
        outputs: [],
        initializers: new Map(),
      };
      // An output that is an input, unchanged, has no node that could make it under the caller's name.
      const passed = body.outputs.flatMap((name, i): Node[] => {
        const made = node.outputs[i] ?? '';
        const at = body.inputs.indexOf(name);
        if (at < 0 || made === '') return [];
        border.set(name, node.inputs[at] ?? '');
        return [
          { name: '', op: 'Identity', domain: '', inputs: [node.inputs[at] ?? ''], outputs: [made], attributes: {} },
        ];
      });
      const renamed = renameValues(called, (name) => border.get(name) ?? `${prefix}${name}`);
      return [...inlined(renamed.nodes, depth + 1), ...passed];
    });
  const withInlinedGraphs = (node: Node, depth: number): Node => ({
    ...node,
    attributes: Object.fromEntries(
      Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => [
        name,
        attribute.type === 'graph'
          ? { type: 'graph', value: { ...attribute.value, nodes: inlined(attribute.value.nodes, depth) } }
          : attribute,
      ]),
    ),
  });
  return { ...graph, nodes: inlined(graph.nodes, 0) };
}
