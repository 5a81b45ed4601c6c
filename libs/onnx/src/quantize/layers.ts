import { producers } from '../edit.ts';
import { floatAttribute, type Graph, intAttribute, type Node } from '../model.ts';
import type { Tensor } from '../tensor.ts';

/** A Conv, Gemm or MatMul whose weights are constant, and the values about it that are to be written as levels. */
export interface QuantizableLayer {
  /** Names the layer: what its node makes. */
  readonly output: string;
  readonly node: Node;
  /** Value that it works on. */
  readonly input: string;
  readonly weight: string;
  /** Axis of the weights that counts the layer's outputs: each slice has a scale of its own. */
  readonly axis: number;
  /** Constant bias, or ''. */
  readonly bias: string;
  /**
   * Value that the layer writes as levels: its output, behind the Relu where one follows alone. Undefined for products, whose
   * result stays a number: a bias is added to it outside.
   */
  readonly written: string | undefined;
}

export interface LayerChoice {
  /** Values whose makers stay in floating point, with everything that these need: the end of a front end. */
  readonly floatUntil: readonly string[];
  /** Value whose last layers stay in floating point: those behind which no other layer stands. */
  readonly output: string;
}

/** The layers of a graph that can be quantised, in its order; those that a choice leaves in floating point are left out. */
export function quantizableLayers(graph: Graph, { floatUntil, output }: LayerChoice): QuantizableLayer[] {
  const layers = graph.nodes.flatMap((node) => layerOf(node, graph) ?? []);
  const before = needed(graph, floatUntil, () => false);
  const outputs = new Set(layers.map((layer) => layer.output));
  const last = needed(graph, [output], (value) => outputs.has(value));
  return layers.filter((layer) => !before.has(layer.output) && !last.has(layer.output));
}

/** Values that others need, themselves included; the search does not go beyond values that end it. */
function needed(graph: Graph, values: readonly string[], ends: (value: string) => boolean): Set<string> {
  const made = producers(graph);
  const found = new Set<string>();
  const open = [...values];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (found.has(value)) continue;
    found.add(value);
    if (!ends(value)) open.push(...(made.get(value)?.inputs ?? []));
  }
  return found;
}

function layerOf(node: Node, graph: Graph): QuantizableLayer | undefined {
  const [input = '', weight = '', bias = ''] = node.inputs;
  const [output = ''] = node.outputs;
  const constant = graph.initializers.get(weight);
  const axis = constant && weightAxis(node, constant);
  if (node.domain !== '' || axis === undefined || constant?.dataType !== 'float32') return undefined;
  if (graph.initializers.has(input) || (bias !== '' && !graph.initializers.has(bias))) return undefined;
  const written = node.op === 'Conv' ? behindRelu(output, graph) : undefined;
  return { output, node, input, weight, axis, bias, written };
}

/** The axis of a layer's outputs in its weights; undefined for nodes that are no such layer. */
function weightAxis(node: Node, { dims }: Tensor): number | undefined {
  if (node.op === 'Conv') return 0;
  if (dims.length !== 2) return undefined;
  if (node.op === 'MatMul') return 1;
  const plain = floatAttribute(node, 'alpha', 1) === 1 && floatAttribute(node, 'beta', 1) === 1;
  if (node.op !== 'Gemm' || !plain) return undefined;
  return intAttribute(node, 'transB', 0) === 1 ? 0 : 1;
}

/** A value, or its Relu where nothing else reads it: the runtime takes the Relu into the levels' lower end. */
function behindRelu(value: string, graph: Graph): string {
  const readers = graph.nodes.filter(({ inputs }) => inputs.includes(value));
  const [reader] = readers;
  const alone = readers.length === 1 && !graph.outputs.some(({ name }) => name === value);
  return alone && reader?.op === 'Relu' ? (reader.outputs[0] ?? value) : value;
}
