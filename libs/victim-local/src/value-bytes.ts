import { type DataType, type Graph, isBatchAxis, type ValueType } from '@faultline/onnx';

const ELEMENT_BYTES: Readonly<Partial<Record<DataType, number>>> = {
  float64: 8,
  int64: 8,
  uint64: 8,
  bool: 1,
  int8: 1,
  uint8: 1,
  float16: 2,
  int16: 2,
  uint16: 2,
};

/** Bytes of a value at a number of examples. */
export function bytesOf({ dataType, dims }: ValueType, examples: number): number {
  const sizes = dims.map((size) => (isBatchAxis(size) ? size.batch * examples : size));
  return sizes.reduce((product, size) => product * size, ELEMENT_BYTES[dataType] ?? 4);
}

/**
 * The most bytes that a graph's values take at once when each is freed after its last reader; inputs and initializers, which
 * somebody else holds, are not counted.
 */
export function peakBytes(graph: Graph, types: ReadonlyMap<string, ValueType>, examples: number): number {
  const lastReader = new Map<string, number>();
  for (const [index, node] of graph.nodes.entries()) for (const name of node.inputs) lastReader.set(name, index);
  for (const { name } of graph.outputs) lastReader.set(name, graph.nodes.length);
  const held = new Map<string, number>();
  let [now, most] = [0, 0];
  for (const [index, node] of graph.nodes.entries()) {
    for (const name of node.outputs) {
      const type = types.get(name);
      if (type === undefined) continue;
      const bytes = bytesOf(type, examples);
      held.set(name, bytes);
      now += bytes;
    }
    most = Math.max(most, now);
    for (const name of new Set([...node.inputs, ...node.outputs])) {
      if ((lastReader.get(name) ?? -1) > index) continue;
      now -= held.get(name) ?? 0;
      held.delete(name);
    }
  }
  return most;
}

/** Bytes of all values that a graph's nodes make: what a gradient keeps of it. */
export function allBytes(graph: Graph, types: ReadonlyMap<string, ValueType>, examples: number): number {
  let sum = 0;
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      const type = types.get(name);
      if (type !== undefined) sum += bytesOf(type, examples);
    }
  }
  return sum;
}
