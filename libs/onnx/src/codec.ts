import {
  AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  GraphProto,
  ModelProto,
  type NodeProto,
  TensorProto_DataType as ProtoType,
  TensorProto,
  TensorProto_DataLocation,
  type ValueInfoProto,
} from '../gen/onnx.ts';
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

const STANDARD_DOMAINS = new Set(['', 'ai.onnx']);

interface ElementType {
  readonly proto: number;
  readonly bytes: number;
  readonly view: (buffer: ArrayBufferLike, offset: number, length: number) => TensorData;
}

const ELEMENT_TYPES: Record<Exclude<DataType, 'string'>, ElementType> = {
  float32: { proto: ProtoType.FLOAT, bytes: 4, view: (b, o, n) => new Float32Array(b, o, n) },
  float64: { proto: ProtoType.DOUBLE, bytes: 8, view: (b, o, n) => new Float64Array(b, o, n) },
  float16: { proto: ProtoType.FLOAT16, bytes: 2, view: (b, o, n) => new Uint16Array(b, o, n) },
  int8: { proto: ProtoType.INT8, bytes: 1, view: (b, o, n) => new Int8Array(b, o, n) },
  uint8: { proto: ProtoType.UINT8, bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
  int16: { proto: ProtoType.INT16, bytes: 2, view: (b, o, n) => new Int16Array(b, o, n) },
  uint16: { proto: ProtoType.UINT16, bytes: 2, view: (b, o, n) => new Uint16Array(b, o, n) },
  int32: { proto: ProtoType.INT32, bytes: 4, view: (b, o, n) => new Int32Array(b, o, n) },
  uint32: { proto: ProtoType.UINT32, bytes: 4, view: (b, o, n) => new Uint32Array(b, o, n) },
  int64: { proto: ProtoType.INT64, bytes: 8, view: (b, o, n) => new BigInt64Array(b, o, n) },
  uint64: { proto: ProtoType.UINT64, bytes: 8, view: (b, o, n) => new BigUint64Array(b, o, n) },
  bool: { proto: ProtoType.BOOL, bytes: 1, view: (b, o, n) => new Uint8Array(b, o, n) },
};

const DATA_TYPE_OF_PROTO = new Map<number, DataType>([
  ...Object.entries(ELEMENT_TYPES).map(([name, type]) => [type.proto, name as DataType] as const),
  [ProtoType.STRING, 'string'],
]);

function dataTypeOf(proto: number | undefined, where: string): DataType {
  const dataType = DATA_TYPE_OF_PROTO.get(proto ?? 0);
  if (dataType === undefined) throw new OnnxError(`${where} has unsupported element type ${proto ?? 'none'}`);
  return dataType;
}

function protoOf(dataType: DataType): number {
  return dataType === 'string' ? ProtoType.STRING : ELEMENT_TYPES[dataType].proto;
}

function dimsOf(proto: TensorProto, where: string): number[] {
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

function decodeTensor(proto: TensorProto): Tensor {
  const where = `tensor '${proto.name ?? ''}'`;
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    throw new OnnxError(`${where} keeps its data in another file; save the model with its data inside`);
  }
  const dataType = dataTypeOf(proto.dataType, where);
  const dims = dimsOf(proto, where);
  const count = elementCount(dims);
  if (dataType === 'string') {
    const data = proto.stringData.map((bytes) => Buffer.from(bytes).toString('utf8'));
    if (data.length !== count) throw new OnnxError(`${where} needs ${count} strings, holds ${data.length}`);
    return { dataType, dims, data };
  }
  const { bytes, view } = ELEMENT_TYPES[dataType];
  if (proto.rawData !== undefined && proto.rawData.byteLength > 0) {
    const raw = proto.rawData;
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

function encodeTensor(name: string, tensor: Tensor): TensorProto {
  const proto = TensorProto.decode(new Uint8Array());
  proto.name = name;
  proto.dims = tensor.dims.map(BigInt);
  proto.dataType = protoOf(tensor.dataType);
  const { data } = tensor;
  if (ArrayBuffer.isView(data)) {
    proto.rawData = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  } else {
    proto.stringData = data.map((text) => Buffer.from(text, 'utf8'));
  }
  return proto;
}

const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? new Uint8Array()).toString('utf8');

function decodeAttribute(proto: AttributeProto, where: string): Attribute {
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
      if (proto.t !== undefined) return { type: 'tensor', value: decodeTensor(proto.t) };
      break;
    case AttributeType.GRAPH:
      if (proto.g !== undefined) return { type: 'graph', value: decodeGraph(proto.g) };
      break;
  }
  throw new OnnxError(`${where}: attribute '${proto.name ?? ''}' has unsupported type ${proto.type ?? 'none'}`);
}

function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  const proto = AttributeProto.decode(new Uint8Array());
  proto.name = name;
  switch (attribute.type) {
    case 'int':
      return { ...proto, type: AttributeType.INT, i: BigInt(attribute.value) };
    case 'float':
      return { ...proto, type: AttributeType.FLOAT, f: attribute.value };
    case 'string':
      return { ...proto, type: AttributeType.STRING, s: Buffer.from(attribute.value, 'utf8') };
    case 'ints':
      return { ...proto, type: AttributeType.INTS, ints: attribute.value.map(BigInt) };
    case 'floats':
      return { ...proto, type: AttributeType.FLOATS, floats: [...attribute.value] };
    case 'strings':
      return { ...proto, type: AttributeType.STRINGS, strings: attribute.value.map((s) => Buffer.from(s, 'utf8')) };
    case 'tensor':
      return { ...proto, type: AttributeType.TENSOR, t: encodeTensor('', attribute.value) };
    case 'graph':
      return { ...proto, type: AttributeType.GRAPH, g: encodeGraph(attribute.value) };
  }
}

function decodeNode(proto: NodeProto): Node {
  const op = proto.opType ?? '';
  const where = `${op} node '${proto.name ?? ''}'`;
  if (op === '') throw new OnnxError(`node '${proto.name ?? ''}' has no operator`);
  const domain = proto.domain ?? '';
  return {
    name: proto.name ?? '',
    op,
    domain: STANDARD_DOMAINS.has(domain) ? '' : domain,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(proto.attribute.map((a) => [a.name ?? '', decodeAttribute(a, where)])),
  };
}

function decodeValueInfo(proto: ValueInfoProto): ValueInfo {
  const name = proto.name ?? '';
  if (proto.type === undefined) return { name, dataType: 'unknown', dims: undefined };
  const type = proto.type.tensorType;
  if (type === undefined) throw new OnnxError(`value '${name}' is not a tensor`);
  const dims = type.shape?.dim.map(
    (dim): Dimension => (dim.dimValue !== undefined ? Number(dim.dimValue) : (dim.dimParam ?? '')),
  );
  return { name, dataType: dataTypeOf(type.elemType, `value '${name}'`), dims };
}

function encodeValueInfo(info: ValueInfo): ValueInfoProto {
  if (info.dataType === 'unknown') return { name: info.name, metadataProps: [], type: undefined };
  const shape = info.dims && {
    dim: info.dims.map((dim) => (typeof dim === 'number' ? { dimValue: BigInt(dim) } : { dimParam: dim })),
  };
  return { name: info.name, metadataProps: [], type: { tensorType: { elemType: protoOf(info.dataType), shape } } };
}

function decodeGraph(proto: GraphProto): Graph {
  if (proto.sparseInitializer.length > 0)
    throw new OnnxError('sparse initializers are not supported; store them dense');
  const initializers = new Map(proto.initializer.map((t) => [t.name ?? '', decodeTensor(t)]));
  return {
    name: proto.name ?? '',
    nodes: proto.node.map(decodeNode),
    // Old files list initializers among the inputs too; only true inputs are kept.
    inputs: proto.input.filter((input) => !initializers.has(input.name ?? '')).map(decodeValueInfo),
    outputs: proto.output.map(decodeValueInfo),
    initializers,
  };
}

function encodeGraph(graph: Graph): GraphProto {
  const proto = GraphProto.decode(new Uint8Array());
  proto.name = graph.name || 'graph';
  proto.node = graph.nodes.map((node) => ({
    name: node.name,
    opType: node.op,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
    metadataProps: [],
    deviceConfigurations: [],
  }));
  proto.initializer = Array.from(graph.initializers, ([name, tensor]) => encodeTensor(name, tensor));
  proto.input = graph.inputs.map(encodeValueInfo);
  proto.output = graph.outputs.map(encodeValueInfo);
  return proto;
}

/**
 * Reads an ONNX file.
 * @throws OnnxError when the bytes are not a model or use what Faultline does not support.
 */
export function decodeModel(bytes: Uint8Array): Model {
  let proto: ModelProto;
  try {
    proto = ModelProto.decode(bytes);
  } catch (cause) {
    throw new OnnxError('not an ONNX model: its protobuf cannot be read', { cause });
  }
  if (proto.graph === undefined) throw new OnnxError('not an ONNX model: it holds no graph');
  if (proto.functions.length > 0) throw new OnnxError('the model holds local functions; inline them when exporting');
  const standard = proto.opsetImport.find((entry) => STANDARD_DOMAINS.has(entry.domain ?? ''));
  if (standard?.version === undefined) throw new OnnxError('the model names no version of the standard operator set');
  return {
    irVersion: Number(proto.irVersion ?? 0n),
    opset: Number(standard.version),
    domains: new Map(
      proto.opsetImport
        .filter((entry) => !STANDARD_DOMAINS.has(entry.domain ?? ''))
        .map((entry) => [entry.domain ?? '', Number(entry.version ?? 0n)]),
    ),
    producer: proto.producerName ?? '',
    metadata: new Map(proto.metadataProps.map((entry) => [entry.key ?? '', entry.value ?? ''])),
    graph: decodeGraph(proto.graph),
  };
}

/** Writes an ONNX file; the same model gives the same bytes. */
export function encodeModel(model: Model): Uint8Array {
  const proto = ModelProto.decode(new Uint8Array());
  proto.irVersion = BigInt(model.irVersion);
  proto.opsetImport = [
    { domain: '', version: BigInt(model.opset) },
    ...Array.from(model.domains, ([domain, version]) => ({ domain, version: BigInt(version) })),
  ];
  proto.producerName = model.producer;
  proto.metadataProps = Array.from(model.metadata, ([key, value]) => ({ key, value }));
  proto.graph = encodeGraph(model.graph);
  return ModelProto.encode(proto).finish();
}
