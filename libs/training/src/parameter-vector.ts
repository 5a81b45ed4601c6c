import type { Parameter, Weights } from '@faultline/fusion';
import { elementCount, float32, type Graph, GraphBuilder, type Tensor } from '@faultline/onnx';

/** Output of `withGradientVector`, `[elements of all parameters]`. */
export const GRADIENT = 'gradient';

const gradientOf = (name: string): string => `grad/${name}`;

/** Elements of all parameters. */
export const vectorSize = (parameters: readonly Parameter[]): number =>
  parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);

/** All parameters in one vector, in their order. @throws Error when a weight is missing. */
export function vectorOf(parameters: readonly Parameter[], weights: Weights): Float32Array {
  const vector = new Float32Array(vectorSize(parameters));
  let offset = 0;
  for (const { name, shape } of parameters) {
    const weight = weights.get(name);
    if (!(weight?.data instanceof Float32Array)) throw new Error(`parameter '${name}' has no first value`);
    vector.set(weight.data, offset);
    offset += elementCount(shape);
  }
  return vector;
}

/** The parameters of a vector, views that copy nothing. */
export function parametersIn(vector: Float32Array, parameters: readonly Parameter[]): [name: string, Tensor][] {
  let offset = 0;
  return parameters.map(({ name, shape }) => {
    const start = offset;
    offset += elementCount(shape);
    return [name, float32(vector.subarray(start, offset), shape)];
  });
}

/** A gradient graph with one output `GRADIENT` in place of the gradient of each parameter: one vector costs an optimiser less than many tensors. */
export function withGradientVector(graph: Graph, parameters: readonly Parameter[]): Graph {
  const gradients = new Set(parameters.map(({ name }) => gradientOf(name)));
  const g = new GraphBuilder({ prefix: 'vector/' });
  const flat = parameters.map(({ name }) => g.reshape(gradientOf(name), [-1]));
  g.output(g.concat(flat, 0), [vectorSize(parameters)], 'float32', GRADIENT);
  const { nodes, initializers, outputs } = g.graph();
  return {
    ...graph,
    nodes: [...graph.nodes, ...nodes],
    initializers: new Map([...graph.initializers, ...initializers]),
    outputs: [...graph.outputs.filter(({ name }) => !gradients.has(name)), ...outputs],
  };
}
