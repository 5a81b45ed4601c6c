import type { RunGraph } from './dry-run.ts';
import { prune } from './edit.ts';
import { describeNode, type Graph, OnnxError } from './model.ts';
import { MOST_ELEMENTS, MOST_ROUNDS_OF_LOOP, type UnboundedNode, unboundedNodes } from './sizes.ts';
import type { Tensor } from './tensor.ts';

/** Where a node's size comes from the product of its own input's and the decisive elements, not from those alone. */
const MULTIPLIES: ReadonlySet<string> = new Set(['Tile', 'Resize', 'Upsample', 'OneHot']);

/** How much these elements make a node's output, or how often its body runs. */
function extent({ node }: UnboundedNode, values: readonly (readonly number[])[], inputCount: number): number {
  const all = values.flat().filter(Number.isFinite);
  if (node.op === 'Range') {
    const [from = 0, to = 0, by = 1] = values.map(([first = 0]) => first);
    return by === 0 ? Number.POSITIVE_INFINITY : Math.ceil((to - from) / by);
  }
  if (node.op === 'Pad') return inputCount + all.reduce((sum, size) => sum + Math.max(0, size), 0);
  const product = all.reduce((total, size) => total * Math.max(1, Math.abs(size)), 1);
  return MULTIPLIES.has(node.op) ? product * inputCount : product;
}

/**
 * Computes the sizes that a graph takes from elements (`unboundedNodes`) before the values of these sizes are made: in the
 * graph's order, each from the part of the graph that it needs. Most graphs have none and cost nothing.
 * @throws OnnxError that names the node whose output would be too large, or whose loop would run too long.
 */
export async function checkElementSizes(
  graph: Graph,
  feeds: ReadonlyMap<string, Tensor>,
  run: RunGraph,
): Promise<void> {
  for (const unbounded of unboundedNodes(graph)) {
    const { node, decisive } = unbounded;
    const [x = ''] = node.inputs;
    const shape = `${x}/size of an unbounded node`;
    const computed = decisive.filter((name) => !graph.initializers.has(name));
    const wanted = decisive.includes(x) || x === '' ? computed : [...computed, shape];
    const sizes = { name: '', op: 'Size', domain: '', inputs: [x], outputs: [shape], attributes: {} };
    const outputs = wanted.map((name) => ({ name, dataType: 'unknown', dims: undefined }) as const);
    const before = graph.nodes.slice(0, graph.nodes.indexOf(node));
    const part = prune({ ...graph, nodes: wanted.includes(shape) ? [...before, sizes] : before, outputs });
    const given = new Map([...feeds].filter(([name]) => part.inputs.some((input) => input.name === name)));
    const results = await run(part, given);
    const elements = (name: string) => {
      const data = results.get(name)?.data ?? graph.initializers.get(name)?.data ?? [];
      return Array.from(data as ArrayLike<number | bigint>, Number);
    };
    const count = extent(unbounded, decisive.map(elements), elements(shape)[0] ?? 1);
    const most = node.op === 'Loop' ? MOST_ROUNDS_OF_LOOP : MOST_ELEMENTS;
    if (count > most) {
      throw new OnnxError(
        `${describeNode(node)}: elements of '${decisive.join("', '")}' ask for a size of ${count}; at most ${most} is run`,
      );
    }
  }
}
