import { renameValues, valueNames } from './edit.ts';
import { knownValues } from './evaluate.ts';
import type { Graph, Node } from './model.ts';
import type { ValueType } from './value-type.ts';

/** Rounds of inlining: a branch may hold a branch whose condition is known once it is inlined. */
const MOST_ROUNDS = 32;

/**
 * Replaces each If whose condition is known before the graph runs by the branch it takes; with `types`, conditions on
 * shapes count too. A graph without such nodes is returned as it is.
 */
export function inlineBranches(graph: Graph, types?: ReadonlyMap<string, ValueType>): Graph {
  let current = graph;
  const first = nextRound(graph);
  for (let round = first; round < first + MOST_ROUNDS; round++) {
    const next = inlineOnce(current, round, types);
    if (next === current) return current;
    current = next;
  }
  return current;
}

/** Numbers of rounds are part of the names that branches get: an earlier call's must not come again. */
function nextRound(graph: Graph): number {
  const rounds = graph.nodes.flatMap(({ outputs }) => outputs.map((name) => /^branch(\d+)_\d+\//.exec(name)?.[1]));
  return rounds.reduce((next, round) => (round === undefined ? next : Math.max(next, Number(round) + 1)), 0);
}

function inlineOnce(graph: Graph, round: number, types?: ReadonlyMap<string, ValueType>): Graph {
  if (!graph.nodes.some(({ op, domain }) => op === 'If' && domain === '')) return graph;
  const known = knownValues(graph, types);
  const nodes: Node[] = [];
  const initializers = new Map(graph.initializers);
  let inlined = 0;
  for (const node of graph.nodes) {
    const [condition = ''] = node.inputs;
    const held =
      known.get(condition) ??
      (graph.inputs.some(({ name }) => name === condition) ? undefined : graph.initializers.get(condition));
    const branch =
      node.op === 'If' && node.domain === '' && held !== undefined
        ? node.attributes[Number(held.data[0]) !== 0 ? 'then_branch' : 'else_branch']
        : undefined;
    if (branch?.type !== 'graph') {
      nodes.push(node);
      continue;
    }
    const own = valueNames(branch.value);
    const prefix = `branch${round}_${inlined++}/`;
    const inner = renameValues(branch.value, (name) => (own.has(name) ? `${prefix}${name}` : name));
    nodes.push(...inner.nodes);
    for (const [name, tensor] of inner.initializers) initializers.set(name, tensor);
    for (const [i, name] of node.outputs.entries()) {
      const made = inner.outputs[i]?.name;
      if (name === '' || made === undefined) continue;
      nodes.push({ name: '', op: 'Identity', domain: '', inputs: [made], outputs: [name], attributes: {} });
    }
  }
  return inlined === 0 ? graph : { ...graph, nodes, initializers };
}
