import {
  type Graph,
  isBatchAxis,
  knownValues,
  type Node,
  prune,
  type Tensor,
  type ValueInfo,
  type ValueType,
} from '@faultline/onnx';
import type { LaneProgram, LaneStep, Operand } from './kernel.ts';
import { FOLDS, LANE_OPERATORS } from './lane-operators.ts';

/** Fewest coordinates an example of a value that is worth a pass of its own. */
const SMALLEST = 1024;

/** Fewest operators on such values that are worth splitting a program. */
const FEWEST = 3;

/** A value that a pass reads or makes; `rows` is what an example has of its first axis. */
export interface PassValue {
  readonly name: string;
  readonly rows: number;
}

/** One pass over all values of a size. */
export interface Pass {
  /** Coordinates an example, and rows an example that scalars and folds tell apart. */
  readonly size: number;
  readonly rows: number;
  readonly program: LaneProgram;
  /** In the order of the program's streams; those without rows are one for all examples. */
  readonly streams: readonly PassValue[];
  /** In the order of its scalars; those without rows are one for all examples. */
  readonly scalars: readonly PassValue[];
  readonly results: readonly string[];
  readonly folds: readonly PassValue[];
}

/** What runs next: a graph for the runtime, or passes. */
export type Stage =
  | { readonly kind: 'graph'; readonly graph: Graph }
  | { readonly kind: 'passes'; readonly passes: readonly Pass[] };

/** The parts of a program. */
export interface SplitProgram {
  readonly stages: readonly Stage[];
  /** Values that a stage makes and a later one reads. */
  readonly crossing: ReadonlySet<string>;
}

type Types = ReadonlyMap<string, ValueType>;

/** A value of many coordinates an example. */
interface Wide {
  readonly rows: number;
  readonly size: number;
}

/**
 * Splits a program at its arithmetic on points: what works coordinate by coordinate becomes passes, each of which reads and writes a coordinate once, however
 * many operators there are; the rest stays for the runtime, in the order in which they need each other.
 * @param types types of all values
 * @returns undefined where there is too little of it
 */
export function splitProgram(graph: Graph, types: Types): SplitProgram | undefined {
  const constants = new Map([...knownValues(graph, types), ...graph.initializers]);
  const fusible = fusibleNodes(graph, types, constants);
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs));
  if (fusible.size < FEWEST || graph.outputs.some(({ name }) => !made.has(name))) return undefined;
  const times = stageTimes(graph, fusible);
  const timeOf = (node: Node) => times.get(node) ?? 0;
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const crossing = new Set<string>();
  const stages: Stage[] = [];
  for (let time = 0; time <= Math.max(...times.values()); time++) {
    const nodes = graph.nodes.filter((node) => timeOf(node) === time);
    if (nodes.length === 0) continue;
    const readLater = new Set(graph.nodes.filter((node) => timeOf(node) > time).flatMap(({ inputs }) => inputs));
    const kept = nodes.flatMap((node) => node.outputs).filter((name) => readLater.has(name) || outputs.has(name));
    for (const name of kept) if (readLater.has(name)) crossing.add(name);
    stages.push(
      isPassTime(time)
        ? { kind: 'passes', passes: passesOf(nodes, { types, constants, kept: new Set(kept) }) }
        : { kind: 'graph', graph: part(graph, nodes, kept, types) },
    );
  }
  return { stages, crossing };
}

/** Graphs and passes take turns. */
const isPassTime = (time: number) => time % 2 === 1;

function wideOf(type: ValueType | undefined): Wide | undefined {
  const [first, ...others] = type?.dims ?? [];
  if (type === undefined || first === undefined || !isBatchAxis(first) || first.batch < 1) return undefined;
  if (type.dataType !== 'float32' && type.dataType !== 'bool') return undefined;
  const size = others.reduce<number>((product, axis) => product * (isBatchAxis(axis) ? Number.NaN : axis), first.batch);
  return size >= SMALLEST && others.length > 0 ? { rows: first.batch, size } : undefined;
}

/** Rows an example of a value with one coordinate a row, 0 where there is one for all; undefined for other values, and where it would not broadcast over the rows. */
function rowsOfScalar(type: ValueType | undefined, rank: number): number | undefined {
  if (type === undefined || (type.dataType !== 'float32' && type.dataType !== 'bool')) return undefined;
  const [first, ...others] = type.dims;
  if (others.some((size) => size !== 1)) return undefined;
  if (first === undefined || first === 1) return 0;
  return isBatchAxis(first) && first.batch >= 1 && type.dims.length === rank ? first.batch : undefined;
}

/** Whether a value has the coordinates of one example, the same for all. */
function isShared(type: ValueType | undefined, dims: ValueType['dims']): boolean {
  if (type === undefined || type.dataType !== 'float32') return false;
  const [first, ...others] = type.dims.length === dims.length ? type.dims : [1, ...type.dims];
  return first === 1 && others.length === dims.length - 1 && others.every((size, axis) => size === dims[axis + 1]);
}

const sameDims = (a: ValueType['dims'], b: ValueType['dims']) => JSON.stringify(a) === JSON.stringify(b);

/** Nodes that can be part of a pass. */
function fusibleNodes(graph: Graph, types: Types, constants: ReadonlyMap<string, Tensor>): Set<Node> {
  const fusible = new Set(graph.nodes.filter((node) => isMap(node, types) || isFold(node, types, constants)));
  const isWideMask = (name: string) => types.get(name)?.dataType === 'bool' && wideOf(types.get(name)) !== undefined;
  for (;;) {
    const others = graph.nodes.filter((node) => !fusible.has(node));
    const readByOthers = new Set(others.flatMap(({ inputs }) => inputs));
    const madeByOthers = new Set(others.flatMap(({ outputs }) => outputs));
    const readByPasses = new Set([...fusible].flatMap(({ inputs }) => inputs));
    const isFit = ({ op, inputs, outputs: [name = ''] }: Node) => {
      // Masks stay inside a pass: the runtime has other ones.
      if (isWideMask(name) && readByOthers.has(name)) return false;
      if (inputs.some((input) => isWideMask(input) && madeByOthers.has(input))) return false;
      // What only the runtime makes and reads it can also reshape.
      return op !== 'Reshape' || readByPasses.has(name) || !madeByOthers.has(inputs[0] ?? '');
    };
    const unfit = [...fusible].filter((node) => !isFit(node));
    if (unfit.length === 0) return fusible;
    for (const node of unfit) fusible.delete(node);
  }
}

/** Whether a node works coordinate by coordinate on values of one shape, with one number a row or one for all beside them. */
function isMap({ op, domain, inputs, outputs: [name = ''] }: Node, types: Types): boolean {
  const type = types.get(name);
  const made = wideOf(type);
  if (domain !== '' || type === undefined || made === undefined || !LANE_OPERATORS.has(op)) return false;
  // Masks are no numbers that could be compared.
  if (op === 'Equal' && inputs.some((input) => types.get(input)?.dataType === 'bool')) return false;
  if (op === 'Reshape') return wideOf(types.get(inputs[0] ?? ''))?.size === made.size;
  return inputs.every((input) => {
    const given = types.get(input);
    if (given === undefined) return false;
    const broadcasts = rowsOfScalar(given, type.dims.length);
    // A value of many rows has a pass of its own, at whose end it is known.
    if (broadcasts !== undefined && wideOf(given) === undefined) return broadcasts === 0 || broadcasts === made.rows;
    if (isShared(given, type.dims)) return made.rows === 1;
    return sameDims(given.dims, type.dims) && wideOf(given) !== undefined;
  });
}

/** Whether a node folds the last axes of a value. */
function isFold(node: Node, types: Types, constants: ReadonlyMap<string, Tensor>): boolean {
  const { op, domain, inputs, outputs } = node;
  const [input = '', axesName = ''] = inputs;
  const given = types.get(input);
  if (domain !== '' || !FOLDS.has(op) || wideOf(given) === undefined || given?.dataType !== 'float32') return false;
  if (wideOf(types.get(outputs[0] ?? '')) !== undefined) return false;
  const axes = constants.get(axesName)?.data;
  if (!(axes instanceof BigInt64Array)) return false;
  const rank = given.dims.length;
  const folded = Array.from(axes, (axis) => (Number(axis) + rank) % rank).sort((a, b) => a - b);
  const [first = 0] = folded;
  return first > 0 && folded.length === rank - first && folded.every((axis, at) => axis === first + at);
}

/** When each node can run: the runtime's at even times, passes at odd ones; what a pass folds is known when it ends. */
function stageTimes(graph: Graph, fusible: ReadonlySet<Node>): Map<Node, number> {
  const times = new Map<Node, number>();
  const madeBy = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  for (const node of graph.nodes) {
    const parity = fusible.has(node) ? 1 : 0;
    let time = parity;
    for (const input of node.inputs) {
      const maker = madeBy.get(input);
      if (maker === undefined) continue;
      const made = times.get(maker) ?? 0;
      const isOver = fusible.has(maker) && (parity === 0 || FOLDS.has(maker.op));
      const earliest = isOver ? made + 1 : made;
      time = Math.max(time, earliest % 2 === parity ? earliest : earliest + 1);
    }
    times.set(node, time);
  }
  return times;
}

/** Some nodes of a graph, with those of their values as outputs that somebody else reads. */
function part(graph: Graph, nodes: readonly Node[], kept: readonly string[], types: Types): Graph {
  const made = new Set(nodes.flatMap(({ outputs }) => outputs));
  const info = (name: string): ValueInfo => {
    const { dataType, dims } = types.get(name) ?? { dataType: 'unknown', dims: undefined };
    return {
      name,
      dataType,
      dims: dims?.map((size) =>
        isBatchAxis(size) ? (size.batch === 1 ? 'examples' : `${size.batch} x examples`) : size,
      ),
    };
  };
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  return prune({
    ...graph,
    nodes,
    inputs: [...read].filter((name) => name !== '' && !made.has(name) && !graph.initializers.has(name)).map(info),
    outputs: kept.map(info),
  });
}

interface Surroundings {
  readonly types: Types;
  readonly constants: ReadonlyMap<string, Tensor>;
  /** Values that are read after the stage. */
  readonly kept: ReadonlySet<string>;
}

/** A pass for each size among the nodes of one stage. */
function passesOf(nodes: readonly Node[], around: Surroundings): Pass[] {
  const sizeOf = ({ op, inputs: [input = ''], outputs: [output = ''] }: Node) =>
    wideOf(around.types.get(FOLDS.has(op) ? input : output))?.size ?? 0;
  const sizes = new Set(nodes.map(sizeOf));
  return [...sizes].map((size) =>
    passOf(
      nodes.filter((node) => sizeOf(node) === size),
      size,
      around,
    ),
  );
}

function passOf(nodes: readonly Node[], size: number, { types, constants, kept }: Surroundings): Pass {
  const streams = new Map<string, PassValue>();
  const scalars = new Map<string, PassValue>();
  const made = new Map<string, Operand>();
  const steps: LaneStep[] = [];
  const take = (kind: 'stream' | 'scalar', among: Map<string, PassValue>, value: PassValue): Operand => {
    if (!among.has(value.name)) among.set(value.name, value);
    return { kind, index: [...among.keys()].indexOf(value.name) };
  };
  const operand = (name: string, rank: number): Operand => {
    const known = made.get(name);
    if (known !== undefined) return known;
    const constant = constants.get(name);
    if (constant?.dataType === 'float32' && constant.data.length === 1)
      return { kind: 'constant', value: Number(constant.data[0]) };
    const rows = rowsOfScalar(types.get(name), rank);
    if (rows !== undefined) return take('scalar', scalars, { name, rows });
    return take('stream', streams, { name, rows: wideOf(types.get(name))?.rows ?? 0 });
  };
  const folds: { readonly value: PassValue; readonly op: string; readonly of: Operand }[] = [];
  for (const {
    op,
    inputs,
    outputs: [name = ''],
  } of nodes) {
    if (FOLDS.has(op)) {
      const rank = types.get(inputs[0] ?? '')?.dims.length ?? 0;
      folds.push({ value: { name, rows: rowsMade(types.get(name)) }, op, of: operand(inputs[0] ?? '', rank) });
      continue;
    }
    const read = op === 'Reshape' ? inputs.slice(0, 1) : inputs;
    const rank = types.get(name)?.dims.length ?? 0;
    const operands = read.map((input) => operand(input, rank));
    made.set(name, { kind: 'step', index: steps.length });
    steps.push({ op, operands });
  }
  const results = [...made].filter(([name]) => kept.has(name));
  const [streamValues, scalarValues, foldValues] = [
    [...streams.values()],
    [...scalars.values()],
    folds.map(({ value }) => value),
  ];
  return {
    size,
    rows: [...scalarValues, ...foldValues].reduce((all, { rows }) => leastCommonMultiple(all, Math.max(1, rows)), 1),
    program: {
      streams: streams.size,
      scalars: scalars.size,
      steps,
      results: results.map(([, result]) => result),
      folds: folds.map(({ op, of }) => ({ op, of })),
    },
    streams: streamValues,
    scalars: scalarValues,
    results: results.map(([name]) => name),
    folds: foldValues,
  };
}

/** Numbers an example of a folded value. */
const rowsMade = (type: ValueType | undefined): number =>
  (type?.dims ?? []).reduce<number>((product, axis) => product * (isBatchAxis(axis) ? axis.batch : axis), 1);

function leastCommonMultiple(a: number, b: number): number {
  let [greater, smaller] = [a, b];
  while (smaller > 0) [greater, smaller] = [smaller, greater % smaller];
  return (a / greater) * b;
}
