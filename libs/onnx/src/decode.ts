import {
  type AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  type FunctionProto,
  type GraphProto,
  ModelProto,
  type NodeProto,
  type TensorProto,
  TensorProto_DataLocation,
  type ValueInfoProto,
} from '../gen/onnx.ts';
import { dataTypeOf, ELEMENT_TYPES } from './element-types.ts';
import { type FunctionBody, functionKey, inlineFunctions } from './functions.ts';
import {
  type Attribute,
  type Dimension,
  type Graph,
  type Model,
  type Node,
  OnnxError,
  type ValueInfo,
} from './model.ts';
import { type DataType, elementCount, type Tensor, type TensorData } from './tensor.ts';
import { checkWire } from './wire-budget.ts';

const STANDARD_DOMAINS = new Set(['', 'ai.onnx']);

/** Axes that a tensor may have; the runtime has no kernel for more. */
const MOST_AXES = 64;

/** Graphs within graphs beyond this depth are refused. */
const MOST_DEEP = 16;

/**
 * Gives the bytes of a tensor that is kept in another file: `length` bytes from `offset` on, or all that follow where
 * no length is given.
 */
export type ExternalData = (location: string, offset: number, length: number | undefined) => Uint8Array;

/** What decoding a part needs to know of the whole. */
interface Source {
  readonly external: ExternalData | undefined;
  /** Attributes of the call, within a function. */
  readonly bound?: Readonly<Record<string, Attribute>>;
  readonly depth: number;
}

function dimsOf(proto: TensorProto, where: string): number[] {
  if (proto.dims.length > MOST_AXES)
    throw new OnnxError(`${where} has ${proto.dims.length} axes; at most ${MOST_AXES} can be read`);
  return proto.dims.map((size) => {
    const dimension = Number(size);
    if (!Number.isSafeInteger(dimension) || dimension < 0) throw new OnnxError(`${where} has axis size ${size}`);
    return dimension;
  });
}

function decodeTypedData(proto: TensorProto, dataType: Exclude<DataType, 'string'>): TensorData {
  switch (dataType) {
    case 'float32':
      return Float32Array.from(proto.floatData);
    case 'float64':
      return Float64Array.from(proto.doubleData);
    case 'int64':
      return BigInt64Array.from(proto.int64Data);
    case 'uint64':
      return BigUint64Array.from(proto.uint64Data);
    case 'uint32':
      return Uint32Array.from(proto.uint64Data, Number);
    case 'int32':
      return Int32Array.from(proto.int32Data);
    case 'int16':
      return Int16Array.from(proto.int32Data);
    case 'int8':
      return Int8Array.from(proto.int32Data);
    case 'uint16':
    case 'float16':
      return Uint16Array.from(proto.int32Data);
    default:
      return Uint8Array.from(proto.int32Data);
  }
}

/** The bytes of a tensor that keeps them in another file. */
function externalBytes(proto: TensorProto, where: string, { external }: Source): Uint8Array {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key ?? '', value ?? '']));
  const location = entries.get('location') ?? '';
  if (external === undefined) {
    throw new OnnxError(
      `${where} keeps its data in another file, '${location}'; save the model with its data inside, or name the folder it may be read from`,
    );
  }
  const number = (key: string): number | undefined => {
    const text = entries.get(key);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
      throw new OnnxError(`${where}: ${key} '${text}' of its external data is no size`);
    return value;
  };
  return external(location, number('offset') ?? 0, number('length'));
}

function decodeTensor(proto: TensorProto, source: Source): Tensor {
  const where = `tensor '${proto.name ?? ''}'`;
  const isExternal = proto.dataLocation === TensorProto_DataLocation.EXTERNAL;
  const dataType = dataTypeOf(proto.dataType, where);
  const dims = dimsOf(proto, where);
  const count = elementCount(dims);
  if (dataType === 'string') {
    const data = proto.stringData.map((bytes) => Buffer.from(bytes).toString('utf8'));
    if (data.length !== count) throw new OnnxError(`${where} needs ${count} strings, holds ${data.length}`);
    return { dataType, dims, data };
  }
  const { bytes, view } = ELEMENT_TYPES[dataType];
  const raw = isExternal ? externalBytes(proto, where, source) : proto.rawData;
  if (raw !== undefined && (isExternal || raw.byteLength > 0)) {
    if (raw.byteLength !== count * bytes) {
      throw new OnnxError(`${where} [${dims.join(', ')}] needs ${count * bytes} bytes, holds ${raw.byteLength}`);
    }
    const aligned = raw.byteOffset % bytes === 0 ? raw : Uint8Array.from(raw);
    return { dataType, dims, data: view(aligned.buffer, aligned.byteOffset, count) };
  }
  const data = decodeTypedData(proto, dataType);
  if (data.length !== count)
    throw new OnnxError(`${where} [${dims.join(', ')}] needs ${count} elements, holds ${data.length}`);
  return { dataType, dims, data };
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? new Uint8Array()).toString('utf8');

function decodeAttribute(proto: AttributeProto, where: string, source: Source): Attribute {
  switch (proto.type) {
    case AttributeType.INT:
      return { type: 'int', value: Number(proto.i ?? 0n) };
    case AttributeType.FLOAT:
      return { type: 'float', value: proto.f ?? 0 };
    case AttributeType.STRING:
      return { type: 'string', value: text(proto.s) };
    case AttributeType.INTS:
      return { type: 'ints', value: proto.ints.map(Number) };
    case AttributeType.FLOATS:
      return { type: 'floats', value: proto.floats };
    case AttributeType.STRINGS:
      return { type: 'strings', value: proto.strings.map(text) };
    case AttributeType.TENSOR:
      if (proto.t !== undefined) return { type: 'tensor', value: decodeTensor(proto.t, source) };
      break;
    case AttributeType.GRAPH:
      if (proto.g !== undefined)
        return { type: 'graph', value: decodeGraph(proto.g, { ...source, depth: source.depth + 1 }) };
      break;
  }
  throw new OnnxError(`${where}: attribute '${proto.name ?? ''}' has unsupported type ${proto.type ?? 'none'}`);
}

function decodeAttributes(proto: NodeProto, where: string, source: Source): Record<string, Attribute> {
  const attributes: [string, Attribute][] = [];
  for (const attribute of proto.attribute) {
    const name = attribute.name ?? '';
    if (attributes.some(([known]) => known === name)) throw new OnnxError(`${where} has two attributes '${name}'`);
    const reference = attribute.refAttrName ?? '';
    // A call that leaves out what the body refers to leaves the operator's default.
    const bound = reference === '' ? undefined : source.bound?.[reference];
    if (bound !== undefined) attributes.push([name, bound]);
    else if (reference === '') attributes.push([name, decodeAttribute(attribute, where, source)]);
  }
  return Object.fromEntries(attributes);
}

function decodeNode(proto: NodeProto, source: Source): Node {
  const op = proto.opType ?? '';
  const where = `${op} node '${proto.name ?? ''}'`;
  if (op === '') throw new OnnxError(`node '${proto.name ?? ''}' has no operator`);
  return {
    name: proto.name ?? '',
    op,
    domain: domainOf(proto.domain),
    inputs: proto.input,
    outputs: proto.output,
    attributes: decodeAttributes(proto, where, source),
  };
}

const domainOf = (domain = ''): string => (STANDARD_DOMAINS.has(domain) ? '' : domain);

function decodeValueInfo(proto: ValueInfoProto): ValueInfo {
  const name = proto.name ?? '';
  if (proto.type === undefined) return { name, dataType: 'unknown', dims: undefined };
  if (name === '') throw new OnnxError('an input or output of the graph has no name');
  const type = proto.type.tensorType;
  // Sequences and the like say so where they are used; exporters also leave the type of a branch's output empty.
  if (type === undefined) return { name, dataType: 'unknown', dims: undefined };
  const dims = type.shape?.dim.map(
    (dim): Dimension => (dim.dimValue !== undefined ? Number(dim.dimValue) : (dim.dimParam ?? '')),
  );
  return { name, dataType: dataTypeOf(type.elemType, `value '${name}'`), dims };
}

function decodeGraph(proto: GraphProto, source: Source): Graph {
  if (source.depth > MOST_DEEP) throw new OnnxError(`graphs are nested more than ${MOST_DEEP} deep`);
  if (proto.sparseInitializer.length > 0)
    throw new OnnxError('sparse initializers are not supported; store them dense');
  const initializers = new Map<string, Tensor>();
  for (const tensor of proto.initializer) {
    const name = tensor.name ?? '';
    if (name === '' || initializers.has(name))
      throw new OnnxError(name === '' ? 'an initializer has no name' : `two initializers are named '${name}'`);
    initializers.set(name, decodeTensor(tensor, source));
  }
  return {
    name: proto.name ?? '',
    nodes: proto.node.map((node) => decodeNode(node, source)),
    // Old files list initializers among the inputs too; only true inputs are kept.
    inputs: proto.input.filter((input) => !initializers.has(input.name ?? '')).map(decodeValueInfo),
    outputs: proto.output.map(decodeValueInfo),
    initializers,
  };
}

/** The model's local functions by domain and name; they must be written in the model's operator sets. */
function decodeFunctions(
  protos: readonly FunctionProto[],
  opset: number,
  external: ExternalData | undefined,
): Map<string, FunctionBody> {
  return new Map(
    protos.map((proto): [string, FunctionBody] => {
      const where = `function '${proto.name ?? ''}'`;
      const standard = proto.opsetImport.find((entry) => STANDARD_DOMAINS.has(entry.domain ?? ''));
      if (standard !== undefined && Number(standard.version ?? 0n) !== opset) {
        throw new OnnxError(
          `${where} is written in opset ${standard.version}, the model in ${opset}; export the model in one operator set`,
        );
      }
      const source: Source = { external, depth: 0 };
      const defaults = Object.fromEntries(
        proto.attributeProto.map((attribute) => [attribute.name ?? '', decodeAttribute(attribute, where, source)]),
      );
      return [
        functionKey(domainOf(proto.domain), proto.name ?? ''),
        {
          inputs: proto.input,
          outputs: proto.output,
          bind: (attributes) =>
            proto.node.map((node) => decodeNode(node, { ...source, bound: { ...defaults, ...attributes } })),
        },
      ];
    }),
  );
}

export interface DecodeOptions {
  /** Reads tensors that are kept in other files (`externalDataIn`); without it, such models are refused. */
  readonly external?: ExternalData;
}

/**
 * Reads an ONNX file. Calls of local functions are replaced by their bodies.
 * @throws OnnxError when the bytes are not a model or use what Faultline does not support.
 */
export function decodeModel(bytes: Uint8Array, { external }: DecodeOptions = {}): Model {
  checkWire(bytes);
  let proto: ModelProto;
  try {
    proto = ModelProto.decode(bytes);
  } catch (cause) {
    throw new OnnxError('not an ONNX model: its protobuf cannot be read', { cause });
  }
  if (proto.graph === undefined) throw new OnnxError('not an ONNX model: it holds no graph');
  const standard = proto.opsetImport.find((entry) => STANDARD_DOMAINS.has(entry.domain ?? ''));
  if (standard?.version === undefined) throw new OnnxError('the model names no version of the standard operator set');
  const opset = Number(standard.version);
  const functions = decodeFunctions(proto.functions, opset, external);
  const local = new Set([...functions.keys()].map((key) => key.slice(0, key.lastIndexOf(':'))));
  return {
    irVersion: Number(proto.irVersion ?? 0n),
    opset,
    domains: new Map(
      proto.opsetImport
        .map((entry): [string, number] => [entry.domain ?? '', Number(entry.version ?? 0n)])
        .filter(([domain]) => !STANDARD_DOMAINS.has(domain) && !local.has(domain)),
    ),
    producer: proto.producerName ?? '',
    metadata: new Map(proto.metadataProps.map((entry) => [entry.key ?? '', entry.value ?? ''])),
    graph: inlineFunctions(decodeGraph(proto.graph, { external, depth: 0 }), functions),
  };
}
