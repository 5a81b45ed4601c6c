import { GraphBuilder } from '../builder.ts';
import { prune } from '../edit.ts';
import { type Graph, int, type Node, OnnxError } from '../model.ts';
import { allValueNames } from '../rewrite.ts';
import { elementCount, type Tensor } from '../tensor.ts';
import type { QuantizableLayer } from './layers.ts';
import { biasLevels, type LevelRange, type Levels, levelsOf, type WeightLevels, weightLevels } from './levels.ts';

/** Values whose ranges must be known before these layers can be quantised: what they read and what they write. */
export const quantizedValues = (layers: readonly QuantizableLayer[]): string[] => [
  ...new Set(layers.flatMap(({ input, written }) => (written === undefined ? [input] : [input, written]))),
];

/**
 * A graph whose layers compute with bytes: QuantizeLinear / DequantizeLinear pairs about the values that they read and write, and
 * their constants as levels behind a DequantizeLinear, in the places where the runtime joins them into operators of whole numbers.
 * Values keep their names; a pair's result is new. Per-tensor levels for values, per-output symmetric levels for weights, 32 bits
 * for biases: Jacob et al. 2018, arXiv 1712.05877.
 * @param ranges of `quantizedValues(layers)`
 * @throws OnnxError for a value without a range
 */
export function quantizeGraph(
  graph: Graph,
  layers: readonly QuantizableLayer[],
  ranges: ReadonlyMap<string, LevelRange>,
): Graph {
  const b = new GraphBuilder({ prefix: 'q/', taken: allValueNames(graph) });
  const pairs = new Map(quantizedValues(layers).map((value) => [value, pairOf(b, value, ranges)]));
  const written = new Set(layers.flatMap((layer) => layer.written ?? []));
  const byOutput = new Map(layers.map((layer) => [layer.output, layer]));
  const constants = new Map<string, string>();
  const nodes: Node[] = graph.inputs.flatMap(({ name }) => pairs.get(name)?.nodes ?? []);
  for (const node of graph.nodes) {
    const layer = byOutput.get(node.outputs[0] ?? '');
    if (layer === undefined) {
      // What a layer writes is read by everyone behind its levels: a second reader would keep the runtime from joining them.
      nodes.push({ ...node, inputs: node.inputs.map((name) => (written.has(name) ? readOf(pairs, name) : name)) });
    } else {
      const { input, weight, bias, axis } = layer;
      const levels = weightLevels(tensorOf(graph, weight), axis);
      const inputs = [readOf(pairs, input), constantRead(b, weight, levels, axis, nodes, constants)];
      if (bias !== '') {
        const scaled = biasLevels(flat(tensorOf(graph, bias)), pairOfValue(pairs, input).levels.scale, levels.scales);
        inputs.push(constantRead(b, bias, scaled, 0, nodes, constants));
      }
      nodes.push({ ...node, inputs });
    }
    for (const output of node.outputs) nodes.push(...(pairs.get(output)?.nodes ?? []));
  }
  const initializers = new Map([...graph.initializers, ...b.graph().initializers]);
  return prune({ ...graph, nodes, initializers }, new Set(graph.inputs.map(({ name }) => name)));
}

interface Pair {
  readonly levels: Levels;
  readonly nodes: readonly Node[];
  /** The value as its levels tell it. */
  readonly read: string;
}

function pairOf(b: GraphBuilder, value: string, ranges: ReadonlyMap<string, LevelRange>): Pair {
  const range = ranges.get(value);
  if (range === undefined)
    throw new OnnxError(`value '${value}' has no range; calibrate all that quantizedValues names`);
  const levels = levelsOf(range);
  const [scale, zero] = [b.constant(levels.scale), b.constant(levels.zeroPoint)];
  const [written, read] = [b.fresh('levels'), b.fresh('read')];
  const nodes = [
    standardNode('QuantizeLinear', [value, scale, zero], written),
    standardNode('DequantizeLinear', [written, scale, zero], read),
  ];
  return { levels, nodes, read };
}

const standardNode = (op: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}) => ({
  name: '',
  op,
  domain: '',
  inputs,
  outputs: [output],
  attributes,
});

function pairOfValue(pairs: ReadonlyMap<string, Pair>, value: string): Pair {
  const pair = pairs.get(value);
  if (pair === undefined) throw new OnnxError(`value '${value}' is quantised nowhere`);
  return pair;
}

const readOf = (pairs: ReadonlyMap<string, Pair>, value: string) => pairOfValue(pairs, value).read;

function tensorOf(graph: Graph, name: string): Tensor {
  const tensor = graph.initializers.get(name);
  if (tensor === undefined) throw new OnnxError(`'${name}' is no constant of the graph`);
  return tensor;
}

const flat = (tensor: Tensor): Tensor => ({ ...tensor, dims: [elementCount(tensor.dims)] });

/** Levels of a constant and the node that reads them. A constant of the same levels is written once. */
function constantRead(
  b: GraphBuilder,
  name: string,
  { levels, scales }: WeightLevels,
  axis: number,
  nodes: Node[],
  known: Map<string, string>,
): string {
  const key = JSON.stringify([name, [...(scales.data as Float32Array)]]);
  const made = known.get(key);
  if (made !== undefined) return made;
  const read = b.fresh('constant');
  const inputs = [b.constant(levels), b.constant(scales)];
  nodes.push(standardNode('DequantizeLinear', inputs, read, { axis: int(axis) }));
  known.set(key, read);
  return read;
}
