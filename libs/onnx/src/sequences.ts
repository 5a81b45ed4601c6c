import { GraphBuilder } from './builder.ts';
import { producers } from './edit.ts';
import { knownValues } from './evaluate.ts';
import { type Graph, int, intAttribute, type Node } from './model.ts';
import { allValueNames } from './rewrite.ts';
import { integers, type Tensor } from './tensor.ts';

/** What is known of a graph while its sequences are written out. */
interface Scope {
  readonly made: ReadonlyMap<string, Node>;
  readonly constants: (name: string) => Tensor | undefined;
  readonly b: GraphBuilder;
}

const numbersOf = (tensor: Tensor | undefined): number[] | undefined => {
  if (tensor === undefined || (tensor.dataType !== 'int64' && tensor.dataType !== 'int32')) return undefined;
  return integers(tensor);
};

/** Where part `at` of a split lies along its axis; undefined where that is not known before the graph runs. */
function rangeOf({ constants }: Scope, split: Node, at: number): { start: number; end: number } | undefined {
  const given = split.inputs[1] ?? '';
  const sizes = given === '' ? [1] : numbersOf(constants(given));
  const isScalar = given === '' || constants(given)?.dims.length === 0;
  if (sizes === undefined) return undefined;
  if (isScalar) {
    const [size = 1] = sizes;
    // Counted from the end, parts of one element alone are known: the last of several may be smaller.
    if (at >= 0) return { start: at * size, end: (at + 1) * size };
    return size === 1 ? { start: at, end: at === -1 ? 2 ** 31 - 1 : at + 1 } : undefined;
  }
  const place = at < 0 ? at + sizes.length : at;
  const start = sizes.slice(0, place).reduce((sum, size) => sum + size, 0);
  return place in sizes ? { start, end: start + (sizes[place] ?? 0) } : undefined;
}

/** The tensor that SequenceAt takes from a sequence, without the sequence. */
function elementOf(scope: Scope, { inputs: [sequence = '', index = ''] }: Node): string | undefined {
  const [at] = numbersOf(scope.constants(index)) ?? [];
  const source = scope.made.get(sequence);
  if (at === undefined || source === undefined || source.domain !== '') return undefined;
  if (source.op === 'SequenceConstruct') return source.inputs.at(at);
  if (source.op !== 'SplitToSequence') return undefined;
  const range = rangeOf(scope, source, at);
  if (range === undefined) return undefined;
  const { b } = scope;
  const axis = intAttribute(source, 'axis', 0);
  const part = b.slice(source.inputs[0] ?? '', [range.start], [range.end], [axis]);
  const dropsAxis = (source.inputs[1] ?? '') === '' && intAttribute(source, 'keepdims', 1) === 0;
  return dropsAxis ? b.op('Squeeze', [part, b.ints([axis])]) : part;
}

/** The node that joins a sequence whose tensors are known. */
function joinedFrom({ made, b }: Scope, node: Node): Node | undefined {
  const source = made.get(node.inputs[0] ?? '');
  if (source?.op !== 'SequenceConstruct' || source.domain !== '') return undefined;
  const axis = intAttribute(node, 'axis', 0);
  const stacked = intAttribute(node, 'new_axis', 0) === 1;
  const inputs = stacked ? source.inputs.map((name) => b.op('Unsqueeze', [name, b.ints([axis])])) : source.inputs;
  return { ...node, op: 'Concat', inputs, attributes: { axis: int(axis) } };
}

/**
 * Writes sequences of tensors, as exporters leave them of chunks and stacks, by slices and joins, where their places are
 * constant. Sequences that nothing reads any more are dropped; others stay.
 */
export function inlineSequences(graph: Graph): Graph {
  const isSequence = ({ op, domain }: Node) =>
    domain === '' && (op === 'SplitToSequence' || op === 'SequenceConstruct');
  if (!graph.nodes.some(isSequence)) return graph;
  const known = knownValues(graph);
  const fed = new Set(graph.inputs.map(({ name }) => name));
  const b = new GraphBuilder({ prefix: 'sequences/', taken: allValueNames(graph) });
  const constants = (name: string) => known.get(name) ?? (fed.has(name) ? undefined : graph.initializers.get(name));
  const scope: Scope = { made: producers(graph), constants, b };
  for (const node of graph.nodes) {
    const taken = node.op === 'SequenceAt' && node.domain === '' ? elementOf(scope, node) : undefined;
    if (taken !== undefined) b.append([{ ...node, op: 'Identity', inputs: [taken], attributes: {} }]);
    else b.append([(node.op === 'ConcatFromSequence' ? joinedFrom(scope, node) : undefined) ?? node]);
  }
  const { nodes, initializers } = b.graph();
  const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  return {
    ...graph,
    nodes: nodes.filter((node) => !isSequence(node) || node.outputs.some((name) => read.has(name))),
    initializers: new Map([...graph.initializers, ...initializers]),
  };
}
