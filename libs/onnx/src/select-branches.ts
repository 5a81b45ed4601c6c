import { GraphBuilder } from './builder.ts';
import { producers, renameValues, valueNames } from './edit.ts';
import type { Graph, Node } from './model.ts';
import { allValueNames } from './rewrite.ts';

/** Branches within branches beyond this depth stay. */
const MOST_ROUNDS = 16;

/** Whether a value hangs on elements of the graph's floating inputs, rather than on shapes, constants and switches. */
function dependsOnElements(graph: Graph, name: string): boolean {
  const made = producers(graph);
  const floating = new Set(
    graph.inputs.filter(({ dataType }) => dataType.startsWith('float')).map((input) => input.name),
  );
  const seen = new Set<string>();
  const open = [name];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (floating.has(at)) return true;
    const node = made.get(at);
    if (seen.has(at) || node === undefined || node.op === 'Shape' || node.op === 'Size') continue;
    seen.add(at);
    open.push(...node.inputs);
  }
  return false;
}

/** The nodes of a branch under names of their own, and what it gives out. */
function unfolded(branch: Graph, prefix: string) {
  const own = valueNames(branch);
  const inner = renameValues(branch, (name) => (own.has(name) ? `${prefix}${name}` : name));
  return { ...inner, made: inner.outputs.map(({ name }) => name) };
}

/** Whether both branches declare the same shapes: a choice between elements would broadcast different ones. */
function haveOneShape(node: Node): boolean {
  const [taken, other] = ['then_branch', 'else_branch'].map((name) => node.attributes[name]);
  if (taken?.type !== 'graph' || other?.type !== 'graph') return false;
  return taken.value.outputs.every(({ dataType, dims }, i) => {
    const against = other.value.outputs[i];
    return (
      dims?.every((size) => size !== '') &&
      dataType === against?.dataType &&
      JSON.stringify(dims) === JSON.stringify(against.dims)
    );
  });
}

/**
 * Replaces each If whose condition hangs on the elements of the inputs (a second stage that runs when the first one fires) by
 * both of its branches and a choice between what they give: then a gradient passes the branch that is taken. Conditions on
 * shapes and switches are left alone: the branch not taken may not fit the inputs at all. So are branches that do not declare
 * that they give the same shapes.
 */
export function selectBranches(graph: Graph): Graph {
  let current = graph;
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = selectOnce(current, round);
    if (next === current) return current;
    current = next;
  }
  return current;
}

function selectOnce(graph: Graph, round: number): Graph {
  const isChosen = (node: Node) =>
    node.op === 'If' && node.domain === '' && haveOneShape(node) && dependsOnElements(graph, node.inputs[0] ?? '');
  const chosen = new Set(graph.nodes.filter(isChosen));
  if (chosen.size === 0) return graph;
  const b = new GraphBuilder({ prefix: `selected${round}/`, taken: allValueNames(graph) });
  const initializers = new Map(graph.initializers);
  let count = 0;
  for (const node of graph.nodes) {
    const branches = ['then_branch', 'else_branch'].map((name) => node.attributes[name]);
    const [taken, other] = branches.map((branch, i) => {
      const side = `selected${round}_${count}/${i === 0 ? 'then' : 'else'}/`;
      return chosen.has(node) && branch?.type === 'graph' ? unfolded(branch.value, side) : undefined;
    });
    if (taken === undefined || other === undefined) {
      b.append([node]);
      continue;
    }
    count++;
    for (const inner of [taken, other]) {
      b.append(inner.nodes);
      for (const [name, tensor] of inner.initializers) initializers.set(name, tensor);
    }
    // The condition is one element, of whatever rank.
    const condition = b.reshape(node.inputs[0] ?? '', []);
    for (const [i, name] of node.outputs.entries()) {
      if (name !== '') b.add('Where', [condition, taken.made[i] ?? '', other.made[i] ?? ''], {}, [name]);
    }
  }
  const built = b.graph();
  return { ...graph, nodes: built.nodes, initializers: new Map([...initializers, ...built.initializers]) };
}
