const MAGIC = '\x93NUMPY';

/** Version 1.0. */
const VERSION = [1, 0];

/** Magic, version and the length of the header, in bytes. */
const PREAMBLE_BYTES = 10;

/** The data begin at a multiple of this. */
const ALIGNMENT = 64;

/**
 * A float32 tensor as an .npy file, which NumPy and most tools for arrays read.
 * Source: numpy/lib/format.py, version 1.0.
 */
export function encodeNpy(data: Float32Array, dims: readonly number[]): Buffer {
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const headerBytes = Math.ceil((PREAMBLE_BYTES + text.length + 1) / ALIGNMENT) * ALIGNMENT - PREAMBLE_BYTES;
  const file = Buffer.alloc(PREAMBLE_BYTES + headerBytes + data.length * Float32Array.BYTES_PER_ELEMENT);
  file.write(MAGIC, 0, 'latin1');
  file.set(VERSION, MAGIC.length);
  file.writeUInt16LE(headerBytes, MAGIC.length + VERSION.length);
  file.write(`${text.padEnd(headerBytes - 1)}\n`, PREAMBLE_BYTES, 'latin1');
  data.forEach((value, index) => {
    file.writeFloatLE(value, PREAMBLE_BYTES + headerBytes + index * Float32Array.BYTES_PER_ELEMENT);
  });
  return file;
}
