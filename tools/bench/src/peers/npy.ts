import { float32, type Tensor } from '@faultline/onnx';

const MAGIC = '\x93NUMPY\x01\x00';
/** The header is padded so that the elements begin at a multiple of this. */
const ALIGNMENT = 64;
const LENGTH_BYTES = 2;

/** A float32 array as a NumPy file (.npy, version 1.0, little endian, C order). @throws TypeError for other elements. */
export function encodeNpy({ data, dims }: Pick<Tensor, 'data' | 'dims'>): Uint8Array {
  if (!(data instanceof Float32Array)) throw new TypeError('only float32 tensors become .npy files here');
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const before = MAGIC.length + LENGTH_BYTES;
  const padding = (ALIGNMENT - ((before + text.length + 1) % ALIGNMENT)) % ALIGNMENT;
  const header = `${text}${' '.repeat(padding)}\n`;
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt16LE(header.length);
  return Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    length,
    Buffer.from(header, 'latin1'),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

/** Reads a float32 array of a NumPy file. @throws TypeError for anything else. */
export function decodeNpy(bytes: Uint8Array): Tensor {
  const buffer = Buffer.from(bytes);
  const start = MAGIC.length + LENGTH_BYTES;
  if (buffer.subarray(0, MAGIC.length).toString('latin1') !== MAGIC)
    throw new TypeError('this is no .npy file, version 1.0');
  const end = start + buffer.readUInt16LE(MAGIC.length);
  const header = buffer.subarray(start, end).toString('latin1');
  const shape = /'descr': '<f4', 'fortran_order': False, 'shape': \(([\d, ]*)\)/.exec(header)?.[1];
  if (shape === undefined)
    throw new TypeError(`expected a little-endian float32 array in C order, got ${header.trim()}`);
  const dims = shape.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  // A copy begins at a multiple of four bytes.
  return float32(new Float32Array(new Uint8Array(buffer.subarray(end)).buffer), dims);
}
