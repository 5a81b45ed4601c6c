import { type Attribute, type Graph, int, type Model, type Node } from './model.ts';
import { float32, type Tensor } from './tensor.ts';

/** Numbers of the element types in the ONNX schema. */
const FLOAT = 1;
const FLOAT16 = 10;

/** The number that a half-precision bit pattern stands for (IEEE 754 binary16). */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const promotedTensor = (tensor: Tensor): Tensor =>
  tensor.dataType === 'float16'
    ? float32(Float32Array.from(tensor.data as Uint16Array, halfToNumber), tensor.dims)
    : tensor;

/** Attributes that name an element type. */
const TYPE_ATTRIBUTES: ReadonlySet<string> = new Set(['to', 'dtype', 'output_dtype']);

function promotedAttribute(name: string, attribute: Attribute): Attribute {
  if (attribute.type === 'tensor') return { type: 'tensor', value: promotedTensor(attribute.value) };
  if (attribute.type === 'graph') return { type: 'graph', value: promotedGraph(attribute.value) };
  return attribute.type === 'int' && attribute.value === FLOAT16 && TYPE_ATTRIBUTES.has(name) ? int(FLOAT) : attribute;
}

const promotedNode = (node: Node): Node => ({
  ...node,
  attributes: Object.fromEntries(
    Object.entries(node.attributes).map(([name, attribute]) => [name, promotedAttribute(name, attribute)]),
  ),
});

function promotedGraph(graph: Graph): Graph {
  const border = (values: Graph['inputs']) =>
    values.map((value) => (value.dataType === 'float16' ? { ...value, dataType: 'float32' as const } : value));
  return {
    name: graph.name,
    nodes: graph.nodes.map(promotedNode),
    inputs: border(graph.inputs),
    outputs: border(graph.outputs),
    initializers: new Map(Array.from(graph.initializers, ([name, tensor]) => [name, promotedTensor(tensor)])),
  };
}

/** Whether a graph computes in half precision anywhere. */
export function usesFloat16(graph: Graph): boolean {
  const isHalf = (name: string, attribute: Attribute) =>
    (attribute.type === 'tensor' && attribute.value.dataType === 'float16') ||
    (attribute.type === 'int' && attribute.value === FLOAT16 && TYPE_ATTRIBUTES.has(name)) ||
    (attribute.type === 'graph' && usesFloat16(attribute.value));
  return (
    [...graph.inputs, ...graph.outputs].some(({ dataType }) => dataType === 'float16') ||
    [...graph.initializers.values()].some(({ dataType }) => dataType === 'float16') ||
    graph.nodes.some(({ attributes }) => Object.entries(attributes).some(([name, value]) => isHalf(name, value)))
  );
}

/**
 * A half-precision model in single precision: the same weights, exactly, and arithmetic that rounds less. A model that uses
 * no half precision is returned as it is.
 */
export const promoteFloat16 = (model: Model): Model =>
  usesFloat16(model.graph) ? { ...model, graph: promotedGraph(model.graph) } : model;
