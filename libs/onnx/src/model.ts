import type { DataType, Tensor } from './tensor.ts';

/** A node's attribute; tagged, because ONNX distinguishes an integer 1 from a float 1. */
export type Attribute =
  | { readonly type: 'int'; readonly value: number }
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'tensor'; readonly value: Tensor }
  | { readonly type: 'ints'; readonly value: readonly number[] }
  | { readonly type: 'floats'; readonly value: readonly number[] }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'graph'; readonly value: Graph };

export type Attributes = Readonly<Record<string, Attribute>>;

/** One operation. An empty string among the inputs or outputs is an optional one left out. */
export interface Node {
  /** Name for people; may be empty and need not be unique. */
  readonly name: string;
  readonly op: string;
  /** '' is the standard domain, ai.onnx. */
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** An axis size: a number, or a symbol such as 'batch', or '' when unknown. */
export type Dimension = number | string;

/** A value at the graph's border. `dims` is undefined when even the rank is unknown; outputs may leave their type to the runtime. */
export interface ValueInfo {
  readonly name: string;
  readonly dataType: DataType | 'unknown';
  readonly dims: readonly Dimension[] | undefined;
}

/** A graph: nodes in topological order; every value has one producer. */
export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly initializers: ReadonlyMap<string, Tensor>;
}

/** A model: a graph and the version of the standard operators that it is written in. */
export interface Model {
  readonly irVersion: number;
  /** Version of the standard operator set (domain ai.onnx). */
  readonly opset: number;
  /** Versions of further operator domains. */
  readonly domains: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: Graph;
}

export const int = (value: number): Attribute => ({ type: 'int', value });
export const float = (value: number): Attribute => ({ type: 'float', value });
export const string = (value: string): Attribute => ({ type: 'string', value });
export const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value });
export const tensor = (value: Tensor): Attribute => ({ type: 'tensor', value });

/** Where a node is, for messages: op, name and output. */
export function describeNode(node: Node): string {
  const op = node.domain === '' ? node.op : `${node.domain}.${node.op}`;
  return `${op} node '${node.name || node.outputs.find((output) => output !== '') || '?'}'`;
}

/** A model that is malformed or not supported; the message names the value, node or field and what to do. */
export class OnnxError extends Error {
  override name = 'OnnxError';
}

function attributeOf<Type extends Attribute['type']>(node: Node, name: string, type: Type) {
  const attribute = node.attributes[name];
  if (attribute === undefined) return undefined;
  if (attribute.type !== type) {
    throw new OnnxError(`${describeNode(node)}: attribute '${name}' is of type ${attribute.type}, expected ${type}`);
  }
  return attribute as Extract<Attribute, { type: Type }>;
}

/** Integer attribute, or the default. */
export const intAttribute = (node: Node, name: string, fallback: number): number =>
  attributeOf(node, name, 'int')?.value ?? fallback;

/** Float attribute, or the default. */
export const floatAttribute = (node: Node, name: string, fallback: number): number =>
  attributeOf(node, name, 'float')?.value ?? fallback;

/** String attribute, or the default. */
export const stringAttribute = (node: Node, name: string, fallback: string): string =>
  attributeOf(node, name, 'string')?.value ?? fallback;

/** Integer list attribute, or undefined where it is absent. */
export const intsAttribute = (node: Node, name: string): readonly number[] | undefined =>
  attributeOf(node, name, 'ints')?.value;

/** Tensor attribute, or undefined where it is absent. */
export const tensorAttribute = (node: Node, name: string): Tensor | undefined =>
  attributeOf(node, name, 'tensor')?.value;
