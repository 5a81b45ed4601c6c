import {
  AttributeProto,
  AttributeProto_AttributeType as AttributeType,
  GraphProto,
  ModelProto,
  TensorProto,
  type ValueInfoProto,
} from '../gen/onnx.ts';
import { protoOf } from './element-types.ts';
import type { Attribute, Graph, Model, ValueInfo } from './model.ts';
import type { Tensor } from './tensor.ts';

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

function encodeValueInfo(info: ValueInfo): ValueInfoProto {
  if (info.dataType === 'unknown') return { name: info.name, metadataProps: [], type: undefined };
  const shape = info.dims && {
    dim: info.dims.map((dim) => (typeof dim === 'number' ? { dimValue: BigInt(dim) } : { dimParam: dim })),
  };
  return { name: info.name, metadataProps: [], type: { tensorType: { elemType: protoOf(info.dataType), shape } } };
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
