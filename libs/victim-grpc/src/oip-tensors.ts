import { type DenseTensor, elementCount, type openInference } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';

/** Brightest value of a byte pixel. */
const FULL_BYTE = 255;

/** An input of a request, and its raw bytes. Bytes are pixels: they go out as float32 in [0, 1]. */
export function requestTensor(
  name: string,
  { dims, data }: DenseTensor,
): { readonly tensor: openInference.ModelInferRequest_InferInputTensor; readonly raw: Buffer } {
  const floats = data instanceof Uint8Array ? Float32Array.from(data, (byte) => byte / FULL_BYTE) : data;
  if (!(floats instanceof Float32Array)) {
    throw FaultlineError.invalid(`inputs['${name}']`, 'is neither float32 nor uint8; send one of these');
  }
  return {
    tensor: { name, datatype: 'FP32', shape: [...dims], contents: undefined },
    raw: Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength),
  };
}

type ReadElement = (view: DataView, offset: number) => number;

/** Element types that an answer may have: bytes of one, how it is read from raw bytes, and where it is when it is not raw. */
const ELEMENTS: Readonly<
  Record<
    string,
    {
      readonly bytes: number;
      readonly read: ReadElement;
      readonly listed: (contents: openInference.InferTensorContents) => readonly (number | boolean)[];
    }
  >
> = {
  FP32: { bytes: 4, read: (view, at) => view.getFloat32(at, true), listed: ({ fp32Contents }) => fp32Contents },
  FP64: { bytes: 8, read: (view, at) => view.getFloat64(at, true), listed: ({ fp64Contents }) => fp64Contents },
  BOOL: { bytes: 1, read: (view, at) => view.getUint8(at), listed: ({ boolContents }) => boolContents },
  INT8: { bytes: 1, read: (view, at) => view.getInt8(at), listed: ({ intContents }) => intContents },
  INT32: { bytes: 4, read: (view, at) => view.getInt32(at, true), listed: ({ intContents }) => intContents },
  INT64: {
    bytes: 8,
    read: (view, at) => Number(view.getBigInt64(at, true)),
    listed: ({ int64Contents }) => int64Contents,
  },
  UINT8: { bytes: 1, read: (view, at) => view.getUint8(at), listed: ({ uintContents }) => uintContents },
};

/**
 * The output `name` of an answer as float32, whichever way it was sent.
 * @throws FaultlineError failed_precondition when it is missing, of a type that is no number, or of another size than it says.
 */
export function answerTensor(response: openInference.ModelInferResponse, name: string): DenseTensor<Float32Array> {
  const index = response.outputs.findIndex((output) => output.name === name);
  const output = response.outputs[index];
  if (output === undefined) {
    const given = response.outputs.map((each) => each.name).join(', ') || 'none';
    throw new FaultlineError('failed_precondition', `answered without output '${name}'; its outputs: ${given}`);
  }
  const element = ELEMENTS[output.datatype];
  if (element === undefined) {
    const known = Object.keys(ELEMENTS).join(', ');
    throw new FaultlineError(
      'failed_precondition',
      `output '${name}' is ${output.datatype}; this client reads ${known}`,
    );
  }
  const count = elementCount(output.shape);
  const raw = response.rawOutputContents[index];
  const values = raw === undefined ? listedValues(output, element.listed) : rawValues(raw, element);
  if (values.length !== count) {
    const shape = output.shape.join(', ');
    throw new FaultlineError('failed_precondition', `output '${name}' [${shape}] holds ${values.length} elements`);
  }
  return { dims: output.shape, data: values };
}

function rawValues(raw: Uint8Array, { bytes, read }: { readonly bytes: number; readonly read: ReadElement }) {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Float32Array.from({ length: Math.floor(raw.byteLength / bytes) }, (_, i) => read(view, i * bytes));
}

function listedValues(
  { contents }: openInference.ModelInferResponse_InferOutputTensor,
  listed: (contents: openInference.InferTensorContents) => readonly (number | boolean)[],
): Float32Array {
  return contents === undefined ? new Float32Array() : Float32Array.from(listed(contents), Number);
}
