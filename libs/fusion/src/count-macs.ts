import { type Graph, isBatchAxis, type Node, OnnxError, type ValueType } from '@faultline/onnx';

/**
 * Multiply-accumulate operations of the graph's Conv, MatMul, Gemm and recurrent nodes for one example. Element-wise work is not counted.
 * @param types type of every value, as a dry run learns them.
 * @throws OnnxError when a value that counts has no type.
 */
export function countMacs(graph: Graph, types: ReadonlyMap<string, ValueType>): number {
  const dims = (name: string | undefined): number[] => {
    const type = types.get(name ?? '');
    if (type === undefined) throw new OnnxError(`value '${name ?? ''}' has no known type; pass types of all values`);
    return type.dims.map((size) => (isBatchAxis(size) ? size.batch : size));
  };
  return graph.nodes.reduce((total, node) => total + nodeMacs(node, dims), 0);
}

function nodeMacs(node: Node, dims: (name: string | undefined) => number[]): number {
  const product = (sizes: readonly number[]) => sizes.reduce((all, size) => all * size, 1);
  const outputs = () => product(dims(node.outputs[0]));
  switch (node.op) {
    case 'Conv':
      return outputs() * product(dims(node.inputs[1]).slice(1));
    case 'MatMul':
      return outputs() * (dims(node.inputs[0]).at(-1) ?? 1);
    case 'Gemm': {
      const left = dims(node.inputs[0]);
      const transposed = node.attributes.transA;
      return outputs() * ((transposed?.type === 'int' && transposed.value === 1 ? left[0] : left[1]) ?? 1);
    }
    case 'GRU':
    case 'LSTM':
    case 'RNN': {
      // [steps, batch, features]; weights [directions, gates x hidden, features] and [directions, gates x hidden, hidden].
      const [steps = 1, batch = 1] = dims(node.inputs[0]);
      return steps * batch * (product(dims(node.inputs[1])) + product(dims(node.inputs[2])));
    }
    default:
      return 0;
  }
}
