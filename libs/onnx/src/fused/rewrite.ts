import type { GraphBuilder } from '../builder.ts';
import { producers } from '../edit.ts';
import type { Attributes, Graph, Node } from '../model.ts';
import type { DataType } from '../tensor.ts';

/** Writes what comes before and returns the last node, or undefined where this form of the operator has no rewriting. */
export type Rewrite = (node: Node, b: GraphBuilder, graph: Graph) => Node | undefined;

/** The standard node that makes the first output of a rewritten one. */
export const last = (node: Node, op: string, inputs: readonly string[], attributes: Attributes = {}): Node => ({
  name: node.name,
  op,
  domain: '',
  inputs,
  outputs: node.outputs.slice(0, 1),
  attributes,
});

/** Input i; '' where it is left out. */
export const input = (node: Node, i: number): string => node.inputs[i] ?? '';

/** Whether any of these outputs is wanted. */
export const wants = (node: Node, ...outputs: readonly number[]): boolean =>
  outputs.some((i) => (node.outputs[i] ?? '') !== '');

export const without = (node: Node, ...names: readonly string[]): Attributes =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));

/** A number as a constant of the element type of `like`. */
export const numberLike = (b: GraphBuilder, value: number, like: string) => b.op('CastLike', [b.scalar(value), like]);

/** The numbers of a float list attribute; none where it is absent. */
export const floatsAttribute = (node: Node, name: string): readonly number[] => {
  const attribute = node.attributes[name];
  return attribute?.type === 'floats' ? attribute.value : [];
};

/** What a file says of a value: its element type and number of axes, where they are known. */
export interface Declared {
  readonly dataType: DataType | undefined;
  readonly rank: number | undefined;
}

const COMPARISONS: ReadonlySet<string> = new Set(
  'And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Xor IsNaN IsInf'.split(' '),
);

/** Element types by their number in the ONNX schema, as Cast names them. */
const CAST: Readonly<Record<number, DataType>> = { 1: 'float32', 6: 'int32', 7: 'int64', 9: 'bool', 11: 'float64' };

/** Follows a value back through casts to what the file declares it to be. */
export function declared(graph: Graph, name: string): Declared {
  const made = producers(graph);
  let dataType: DataType | undefined;
  let at = name;
  for (let steps = 0; steps <= graph.nodes.length; steps++) {
    const tensor = graph.initializers.get(at);
    if (tensor !== undefined) return { dataType: dataType ?? tensor.dataType, rank: tensor.dims.length };
    const value = graph.inputs.find((one) => one.name === at);
    if (value !== undefined) {
      const own = value.dataType === 'unknown' ? undefined : value.dataType;
      return { dataType: dataType ?? own, rank: value.dims?.length };
    }
    const node = made.get(at);
    if (node === undefined) break;
    if (COMPARISONS.has(node.op)) return { dataType: dataType ?? 'bool', rank: undefined };
    if (node.op !== 'Cast' && node.op !== 'Identity') break;
    const to = node.op === 'Cast' && node.attributes.to?.type === 'int' ? CAST[node.attributes.to.value] : undefined;
    dataType ??= to;
    at = node.inputs[0] ?? '';
  }
  return { dataType, rank: undefined };
}
