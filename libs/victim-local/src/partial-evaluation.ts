import { type Graph, isBatchAxis, type Node, prune, type ValueInfo, type ValueType } from '@faultline/onnx';

/** A graph cut in two: what never changes within a loop, computed once, and the rest. */
export interface PartialEvaluation {
  /** Computes the frontier from the fixed inputs; undefined when there is nothing to compute ahead. */
  readonly ahead: Graph | undefined;
  /** Takes the frontier as further inputs. */
  readonly rest: Graph;
  /** Values that cross the cut; their first axis follows the batch. */
  readonly frontier: readonly string[];
}

/** Rows of the first axis a value has for each example; undefined unless the first axis, and it alone, follows the batch. */
export function rowsPerExample(type: ValueType | undefined): number | undefined {
  if (type === undefined || type.dataType !== 'float32') return undefined;
  const [first, ...others] = type.dims;
  if (first === undefined || !isBatchAxis(first) || others.some(isBatchAxis)) return undefined;
  return first.batch;
}

/**
 * Cuts a graph at the values that depend on the fixed inputs alone: an attack on one modality then pays for that modality's
 * branch only. Where a crossing value cannot be kept by example (its batch axis is not the first), the graph stays whole.
 * @param fixed inputs that do not change within a loop
 * @param types types of the graph's values, as a dry run gives them
 */
export function evaluateAhead(
  graph: Graph,
  fixed: ReadonlySet<string>,
  types: ReadonlyMap<string, ValueType>,
): PartialEvaluation {
  const whole = { ahead: undefined, rest: graph, frontier: [] };
  const settled = new Set<string>(fixed);
  const isSettled = (name: string) => name === '' || settled.has(name) || graph.initializers.has(name);
  const ahead: Node[] = [];
  const later: Node[] = [];
  for (const node of graph.nodes) {
    const dependsOnFixed = node.inputs.some((input) => settled.has(input));
    if (dependsOnFixed && node.inputs.every(isSettled)) {
      ahead.push(node);
      for (const output of node.outputs) settled.add(output);
    } else later.push(node);
  }
  if (ahead.length === 0) return whole;

  const computed = new Set(ahead.flatMap((node) => node.outputs));
  const crossing = new Set<string>();
  for (const node of later) for (const input of node.inputs) if (computed.has(input)) crossing.add(input);
  for (const output of graph.outputs) if (computed.has(output.name)) crossing.add(output.name);
  const frontier = [...crossing];
  if (frontier.some((name) => rowsPerExample(types.get(name)) === undefined)) return whole;

  const infos = frontier.map((name): ValueInfo => ({ name, dataType: 'float32', dims: symbolicDims(types.get(name)) }));
  return {
    ahead: prune({
      ...graph,
      name: 'ahead',
      nodes: ahead,
      outputs: infos.map(({ name }) => ({ name, dataType: 'unknown', dims: undefined })),
    }),
    rest: prune({ ...graph, nodes: later, inputs: [...graph.inputs, ...infos] }),
    frontier,
  };
}

function symbolicDims(type: ValueType | undefined) {
  return type?.dims.map((size) => (isBatchAxis(size) ? (size.batch === 1 ? 'batch' : `batch*${size.batch}`) : size));
}
