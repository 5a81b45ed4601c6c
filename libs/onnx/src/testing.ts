import { ModelProto } from '../gen/onnx.ts';

/** Smaller tensors stay in the model's file. */
const LEAST_BYTES = 64;

/** A model's file with its weights moved into another, as exporters write large models; and that other file. For tests. */
export function withExternalData(
  bytes: Uint8Array,
  location: string,
): { readonly model: Uint8Array; readonly data: Uint8Array } {
  const proto = ModelProto.decode(bytes);
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of proto.graph?.initializer ?? []) {
    const raw = tensor.rawData ?? new Uint8Array();
    if (raw.length < LEAST_BYTES) continue;
    const place = { location, offset: String(offset), length: String(raw.length) };
    tensor.externalData = Object.entries(place).map(([key, value]) => ({ key, value }));
    tensor.dataLocation = 1;
    tensor.rawData = undefined;
    parts.push(raw);
    offset += raw.length;
  }
  return { model: ModelProto.encode(proto).finish(), data: Buffer.concat(parts) };
}
