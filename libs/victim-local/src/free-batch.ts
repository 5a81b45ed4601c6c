import { type Graph, int64, integers, type Node, type Tensor } from '@faultline/onnx';

/** Whether an input is declared for one example at a time. */
export const isForOneExample = (graph: Graph): boolean =>
  graph.inputs.some(({ dims }) => dims !== undefined && dims.length > 0 && dims[0] === 1);

/**
 * Opens the batch of a model that was exported for one example: first axes of 1 become open, and so do shapes that the export
 * wrote down with a 1 in front. Shapes are changed only where they apply to what depends on the inputs. Whether the result is the
 * same model, example by example, is for the caller to verify: `faultline card init` does.
 */
export function freeBatch(graph: Graph): Graph {
  const dependent = new Set(graph.inputs.map(({ name }) => name));
  const constants = new Map<string, Tensor>(graph.initializers);
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.map((node): Node => {
    const attribute = node.op === 'Constant' && node.domain === '' ? node.attributes.value : undefined;
    const [made] = node.outputs;
    if (attribute?.type === 'tensor' && made !== undefined) constants.set(made, attribute.value);
    const data = node.inputs[0] ?? '';
    const reached = node.inputs.some((name) => dependent.has(name));
    if (reached) for (const output of node.outputs) dependent.add(output);
    const shape = constants.get(node.inputs[1] ?? '');
    if (node.op !== 'Reshape' || node.domain !== '' || !dependent.has(data) || shape === undefined) return node;
    const sizes = integers(shape);
    if (sizes[0] !== 1 || sizes.length < 2) return node;
    // Where a later axis takes what is left, the batch is copied (0) from the value itself.
    const opened = [sizes.includes(-1) ? 0 : -1, ...sizes.slice(1)];
    const name = `${node.inputs[1]}/batch`;
    initializers.set(name, int64(opened));
    return { ...node, inputs: [data, name, ...node.inputs.slice(2)] };
  });
  const inputs = graph.inputs.map((input) =>
    input.dims?.[0] === 1 ? { ...input, dims: ['batch', ...input.dims.slice(1)] } : input,
  );
  return { ...graph, nodes, inputs, initializers };
}
