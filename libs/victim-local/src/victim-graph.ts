import type { victim } from '@faultline/contracts';
import {
  checkGraph,
  type Graph,
  isBatchAxis,
  type Model,
  OnnxError,
  prune,
  standardModel,
  type ValueInfo,
  type ValueType,
  valueNames,
} from '@faultline/onnx';
import { settleBranches } from '@faultline/ort';
import type { VictimShapes } from './setting.ts';

/** A tap of the card that has a value for each example. */
export interface GraphTap {
  /** Name of the value in the graph. */
  readonly value: string;
  /** Rows of the value's first axis for each example; programs meet them as an axis of its own where there are several. */
  readonly rows: number;
  /** The value's further axes. */
  readonly rowDims: readonly number[];
}

/** A victim's graph and what a dry run tells of it. */
export interface VictimGraph {
  /** Inputs as the card names them; outputs: the logits, and every value that a tap names. */
  readonly graph: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
  readonly logits: string;
  readonly taps: ReadonlyMap<string, GraphTap>;
  readonly shapes: VictimShapes;
}

export const untyped = (name: string): ValueInfo => ({ name, dataType: 'unknown', dims: undefined });

/**
 * Reads a composed victim's graph.
 * @throws OnnxError when the model does not hang together, does not make the logits or is written in an operator set out of reach.
 */
export function victimGraph(model: Model, logits: string, taps: readonly victim.Tap[]): Graph {
  checkGraph(model.graph);
  if (!valueNames(model.graph).has(logits))
    throw new OnnxError(`the model makes no value '${logits}': correct the card's field 'logits'`);
  const standard = standardModel(model);
  // Branches taken may show sizes that were hidden before.
  checkGraph(standard.graph);
  const made = valueNames(standard.graph);
  const values = new Set([logits, ...taps.map(({ value }) => value).filter((value) => made.has(value))]);
  return prune(
    { ...standard.graph, outputs: [...values].map(untyped) },
    new Set(standard.graph.inputs.map(({ name }) => name)),
  );
}

/** Learns the shapes of a victim's values. @throws OnnxError when an axis neither is fixed nor follows the batch. */
export async function analyse(whole: Graph, logits: string, named: readonly victim.Tap[]): Promise<VictimGraph> {
  const { graph, types } = await settleBranches(whole);
  const taps = new Map<string, GraphTap>();
  for (const { name, value } of named) {
    const tap = tapOf(value, types.get(value));
    if (tap !== undefined) taps.set(name, tap);
  }
  const [labels] = types.get(logits)?.dims.slice(1) ?? [];
  if (typeof labels !== 'number') throw new OnnxError(`the logits '${logits}' are not [batch, labels]`);
  const inputs = new Map(
    graph.inputs.map(({ name }) => [
      name,
      types
        .get(name)
        ?.dims.slice(1)
        .filter((size) => typeof size === 'number') ?? [],
    ]),
  );
  const tapDims = Array.from(taps, ([name, tap]) => [name, dimsOfTap(tap)] as const);
  return { graph, types, logits, taps, shapes: { inputs, taps: new Map(tapDims), labels } };
}

/** Axis sizes of one example of a tap. */
export const dimsOfTap = ({ rows, rowDims }: GraphTap): readonly number[] =>
  rows === 1 ? rowDims : [rows, ...rowDims];

function tapOf(value: string, type: ValueType | undefined): GraphTap | undefined {
  if (type === undefined || type.dataType !== 'float32') return undefined;
  const [first, ...others] = type.dims;
  const rowDims = others.filter((size) => typeof size === 'number');
  if (first === undefined || !isBatchAxis(first) || rowDims.length < others.length) return undefined;
  return { value, rows: first.batch, rowDims };
}

/** The victim's graph with the values of some taps coming from outside instead of from their nodes. */
export function cutAt(graph: Graph, taps: readonly GraphTap[]): Graph {
  const values = new Set(taps.map(({ value }) => value));
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  for (const value of values)
    if (!made.has(value)) throw new OnnxError(`the tap's value '${value}' is made by no node; attack the input itself`);
  const nodes = graph.nodes.map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (values.has(name) ? `uncut/${name}` : name)),
  }));
  const inputs = [
    ...graph.inputs,
    ...[...values].map((name) => ({ name, dataType: 'float32' as const, dims: undefined })),
  ];
  return { ...graph, nodes, inputs };
}

/** Every value that a value is made of, itself included. */
export function ancestors(graph: Graph, value: string): Set<string> {
  const found = new Set([value]);
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => found.has(name))) continue;
    for (const name of node.inputs) if (name !== '') found.add(name);
  }
  return found;
}

/** Every value that some values act on, themselves included. */
export function descendants(graph: Graph, values: Iterable<string>): Set<string> {
  const found = new Set(values);
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => found.has(name))) for (const name of node.outputs) if (name !== '') found.add(name);
  }
  return found;
}
