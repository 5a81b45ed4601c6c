import { type Attributes, elementCount, intAttribute, intsAttribute, type Node, type Tensor } from '@faultline/onnx';
import type { TypedGraph } from './decompose.ts';
import { sameDims } from './dims.ts';

/** y = scale x + shift, per channel (or one number for all channels). */
interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** Epsilon of BatchNormalization where the node has none. */
const EPSILON = 1e-5;

interface FloatTensor extends Tensor {
  readonly data: Float32Array | Float64Array;
}

const isFloat = (tensor: Tensor | undefined): tensor is FloatTensor =>
  tensor?.data instanceof Float32Array || tensor?.data instanceof Float64Array;

/** Element i of a list that may hold one number for all. */
const at = (values: Float64Array, i: number) => values[values.length === 1 ? 0 : i] ?? 0;

/**
 * Takes what scales and shifts the channels just before and behind a Conv of constant weights into these weights: pixel
 * normalisation, BatchNormalization. The runtime does so behind a Conv itself, but not in the gradient.
 * @param kept names of values that must stay: outputs, variables, what subgraphs read
 */
export function absorb({ graph, types }: TypedGraph, kept: ReadonlySet<string>): TypedGraph {
  const fed = new Set(graph.inputs.map(({ name }) => name));
  const initializers = new Map(graph.initializers);
  const constant = (name: string | undefined): Tensor | undefined =>
    name === undefined || fed.has(name) || kept.has(name) ? undefined : initializers.get(name);
  const readers = new Map<string, number>();
  for (const { inputs } of graph.nodes) for (const name of inputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  const isPrivate = (name: string) => readers.get(name) === 1 && !kept.has(name);
  const makers = new Map<string, Node>();
  for (const node of graph.nodes) for (const name of node.outputs) makers.set(name, node);

  /** Whether two values are of one shape: no constant broadcasts the other operand. */
  const sameShape = (a: string, b = ''): boolean => {
    const [left, right] = [types.get(a), types.get(b)];
    return left !== undefined && right !== undefined && sameDims(left.dims, right.dims);
  };

  const replaced = new Map<Node, Node | undefined>();
  const latest = (node: Node) => (replaced.has(node) ? replaced.get(node) : node);
  const fresh = (hint: string) => {
    let name = hint;
    for (let i = 1; initializers.has(name) || makers.has(name) || fed.has(name); i++) name = `${hint}/${i}`;
    return name;
  };
  /** The Conv with other weights and bias, other input and output. */
  const rewritten = (node: Node, weights: Tensor, bias: Tensor, input: string, output: string): Node => {
    const names = [fresh(`${node.inputs[1]}/absorbed`), fresh(`${output}/bias`)] as const;
    initializers.set(names[0], weights);
    initializers.set(names[1], bias);
    return { ...node, inputs: [input, ...names], outputs: [output] };
  };

  for (const original of graph.nodes) {
    const node = latest(original);
    if (node === undefined || node.domain !== '') continue;
    const [input = '', second, third] = node.inputs;
    const maker = makers.get(input);
    const before = maker && latest(maker);
    if (before === undefined || !isPrivate(input)) continue;
    if (node.op === 'BatchNormalization' && before.op === 'Conv' && before.domain === '') {
      const conv = convolutionOf(before, constant);
      const affine = batchNormalization(node, constant);
      const [output] = node.outputs;
      if (conv === undefined || affine === undefined || output === undefined || node.outputs.length > 1) continue;
      replaced.set(original, rewritten(before, ...behind(conv, affine), before.inputs[0] ?? '', output));
      if (maker !== undefined) replaced.set(maker, undefined);
      continue;
    }
    if (node.op !== 'Conv' || constant(second) === undefined || (third !== undefined && !constant(third))) continue;
    let current = node;
    let source: Node | undefined = maker;
    // Scales and shifts in a row, nearest first.
    while (source !== undefined && isPrivate(current.inputs[0] ?? '')) {
      const conv = convolutionOf(current, constant);
      const rank = (conv?.weights.dims.length ?? 0) - 2;
      const step = latest(source) === source ? affineOf(source, rank, constant) : undefined;
      if (conv === undefined || step === undefined || !sameShape(step.input, source.outputs[0])) break;
      const moved = inFrontOf(conv, step.affine, intAttribute(node, 'group', 1), isUnpadded(node));
      if (moved === undefined) break;
      current = rewritten(current, ...moved, step.input, current.outputs[0] ?? '');
      replaced.set(source, undefined);
      source = makers.get(step.input);
    }
    if (current !== node) replaced.set(original, current);
  }
  if (replaced.size === 0) return { graph, types };
  const nodes = graph.nodes.flatMap((node) => latest(node) ?? []);
  const added = [...initializers].filter(([name]) => !graph.initializers.has(name));
  const typesOfAdded = added.map(([name, { dataType, dims }]) => [name, { dataType, dims }] as const);
  return { graph: { ...graph, nodes, initializers }, types: new Map([...types, ...typesOfAdded]) };
}

interface Convolution {
  readonly weights: FloatTensor;
  /** Zeros where the node has none. */
  readonly bias: Float64Array;
}

function convolutionOf(
  node: Node,
  constant: (name: string | undefined) => Tensor | undefined,
): Convolution | undefined {
  const weights = constant(node.inputs[1]);
  const given = node.inputs[2];
  const bias = constant(given);
  if (!isFloat(weights) || ((given ?? '') !== '' && !isFloat(bias))) return undefined;
  const outputs = weights.dims[0] ?? 0;
  return { weights, bias: isFloat(bias) ? Float64Array.from(bias.data) : new Float64Array(outputs) };
}

/** Attributes of a Conv whose every output sees values of the input alone, no padding. */
function isUnpadded(node: Node): boolean {
  const { auto_pad }: Attributes = node.attributes;
  if (auto_pad?.type === 'string' && auto_pad.value !== 'NOTSET' && auto_pad.value !== 'VALID') return false;
  return (intsAttribute(node, 'pads') ?? []).every((amount) => amount === 0);
}

function batchNormalization(
  node: Node,
  constant: (name: string | undefined) => Tensor | undefined,
): Affine | undefined {
  if (intAttribute(node, 'training_mode', 0) === 1) return undefined;
  const [scale, bias, mean, variance] = node.inputs.slice(1).map(constant);
  if (!(isFloat(scale) && isFloat(bias) && isFloat(mean) && isFloat(variance))) return undefined;
  const { epsilon } = node.attributes;
  const floor = epsilon?.type === 'float' ? epsilon.value : EPSILON;
  const gain = Float64Array.from(scale.data, (value, i) => value / Math.sqrt((variance.data[i] ?? 0) + floor));
  return { scale: gain, shift: gain.map((value, i) => (bias.data[i] ?? 0) - value * (mean.data[i] ?? 0)) };
}

/** Multiplication, division, addition or subtraction of a constant per channel; undefined for anything else. */
function affineOf(
  { op, domain, inputs }: Node,
  spatialAxes: number,
  constant: (name: string | undefined) => Tensor | undefined,
): { readonly affine: Affine; readonly input: string } | undefined {
  const [left, right] = inputs;
  if (domain !== '' || left === undefined || right === undefined) return undefined;
  const swapped = (op === 'Add' || op === 'Mul') && constant(left) !== undefined;
  const [input, other] = swapped ? [right, left] : [left, right];
  const values = perChannel(constant(other), spatialAxes);
  if (values === undefined) return undefined;
  const [one, zero] = [Float64Array.of(1), Float64Array.of(0)];
  switch (op) {
    case 'Mul':
      return { affine: { scale: values, shift: zero }, input };
    case 'Div':
      return { affine: { scale: values.map((value) => 1 / value), shift: zero }, input };
    case 'Add':
      return { affine: { scale: one, shift: values }, input };
    case 'Sub':
      return { affine: { scale: one, shift: values.map((value) => -value) }, input };
    default:
      return undefined;
  }
}

/** One number, or numbers along the channel axis alone, which the spatial axes (of size 1) follow. */
function perChannel(tensor: Tensor | undefined, spatialAxes: number): Float64Array | undefined {
  if (!isFloat(tensor)) return undefined;
  const count = elementCount(tensor.dims);
  const axis = tensor.dims.length - spatialAxes - 1;
  return count === 1 || tensor.dims[axis] === count ? Float64Array.from(tensor.data) : undefined;
}

const vectorLike = (tensor: Tensor, values: Float64Array): Tensor => ({
  dataType: tensor.dataType,
  dims: [values.length],
  data: tensor.data instanceof Float64Array ? values : Float32Array.from(values),
});

/** Weights and bias of `affine` behind a convolution. */
function behind({ weights, bias }: Convolution, { scale, shift }: Affine): [Tensor, Tensor] {
  const each = weights.data.length / bias.length;
  const data: Float32Array | Float64Array = weights.data.slice();
  for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) * at(scale, Math.floor(i / each));
  const moved = bias.map((value, i) => value * at(scale, i) + at(shift, i));
  return [{ ...weights, data }, vectorLike(weights, moved)];
}

/** Weights and bias of `affine` in front of a convolution; undefined where padding would be shifted, or channels do not fit. */
function inFrontOf(
  { weights, bias }: Convolution,
  { scale, shift }: Affine,
  groups: number,
  unpadded: boolean,
): [Tensor, Tensor] | undefined {
  if (!unpadded && shift.some((value) => value !== 0)) return undefined;
  const [outputs = 1, inputs = 1, ...kernel] = weights.dims;
  if ([scale, shift].some(({ length }) => length !== 1 && length !== inputs * groups)) return undefined;
  const taps = elementCount(kernel);
  const data: Float32Array | Float64Array = weights.data.slice();
  const moved = bias.slice();
  for (let i = 0; i < data.length; i++) {
    const output = Math.floor(i / (inputs * taps));
    const group = Math.floor(output / (outputs / groups));
    const channel = group * inputs + (Math.floor(i / taps) % inputs);
    const value = data[i] ?? 0;
    data[i] = value * at(scale, channel);
    moved[output] = (moved[output] ?? 0) + value * at(shift, channel);
  }
  return [{ ...weights, data }, vectorLike(weights, moved)];
}
