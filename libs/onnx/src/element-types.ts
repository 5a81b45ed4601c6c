import { TensorProto_DataType as ProtoType } from '../gen/onnx.ts';
import { OnnxError } from './model.ts';
import type { DataType, TensorData } from './tensor.ts';

interface ElementType {
  readonly proto: number;
  readonly bytes: number;
  readonly view: (buffer: ArrayBufferLike, offset: number, length: number) => TensorData;
}

export const ELEMENT_TYPES: Record<Exclude<DataType, 'string'>, ElementType> = {
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

/** The element type of this number in the ONNX schema; `where` names the value in the error. */
export function dataTypeOf(proto: number | undefined, where: string): DataType {
  const dataType = DATA_TYPE_OF_PROTO.get(proto ?? 0);
  if (dataType === undefined) {
    const name = Object.entries(ProtoType)
      .find(([, number]) => number === proto)?.[0]
      .toLowerCase();
    const shown = name === undefined ? (proto ?? 'none') : `${name} (${proto})`;
    throw new OnnxError(`${where} has unsupported element type ${shown}; export the model in float32 or float16`);
  }
  return dataType;
}

export function protoOf(dataType: DataType): number {
  return dataType === 'string' ? ProtoType.STRING : ELEMENT_TYPES[dataType].proto;
}
