import { type FileHandle, open } from 'node:fs/promises';
import { endianness } from 'node:os';

// NumPy's array files. Source: numpy/lib/format.py, versions 1.0 to 3.0.

const MAGIC = '\x93NUMPY';
const VERSION = [1, 0];
/** Magic, version and the length of the header of version 1, in bytes. */
const PREAMBLE_BYTES = 10;
/** The data begin at a multiple of this. */
const ALIGNMENT = 64;
/** Longer headers than this are none. */
const MOST_HEADER_BYTES = 65_536;
/** What sets are stored as. */
const FLOAT = '<f4';
const BYTE = '|u1';
const LITTLE_ENDIAN = endianness() === 'LE';

/** A dense array, row-major. */
export interface NpyArray<T extends Float32Array | Uint8Array = Float32Array | Uint8Array> {
  readonly dims: readonly number[];
  readonly data: T;
}

/** An array as an .npy file: float32 or bytes. */
export function encodeNpy({ dims, data }: NpyArray): Buffer {
  const descr = data instanceof Float32Array ? FLOAT : BYTE;
  const shape = dims.length === 1 ? `${dims[0]},` : dims.join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const headerBytes = Math.ceil((PREAMBLE_BYTES + text.length + 1) / ALIGNMENT) * ALIGNMENT - PREAMBLE_BYTES;
  const head = Buffer.alloc(PREAMBLE_BYTES + headerBytes);
  head.write(MAGIC, 0, 'latin1');
  head.set(VERSION, MAGIC.length);
  head.writeUInt16LE(headerBytes, MAGIC.length + VERSION.length);
  head.write(`${text.padEnd(headerBytes - 1)}\n`, PREAMBLE_BYTES, 'latin1');
  return Buffer.concat([head, Buffer.from(data.buffer, data.byteOffset, data.byteLength)]);
}

/** What an .npy file holds, by its header. */
export interface NpyHeader {
  readonly dims: readonly number[];
  readonly descr: string;
  readonly dataOffset: number;
}

interface ElementKind {
  readonly bytes: number;
  readonly read: (bytes: Buffer, offset: number) => number;
}

/** Element types that features are stored as. */
const KINDS: Readonly<Record<string, ElementKind>> = {
  '<f4': { bytes: 4, read: (bytes, offset) => bytes.readFloatLE(offset) },
  '>f4': { bytes: 4, read: (bytes, offset) => bytes.readFloatBE(offset) },
  '<f8': { bytes: 8, read: (bytes, offset) => bytes.readDoubleLE(offset) },
  '<i2': { bytes: 2, read: (bytes, offset) => bytes.readInt16LE(offset) },
  '<i4': { bytes: 4, read: (bytes, offset) => bytes.readInt32LE(offset) },
  '|u1': { bytes: 1, read: (bytes, offset) => bytes.readUInt8(offset) },
  '|i1': { bytes: 1, read: (bytes, offset) => bytes.readInt8(offset) },
};

/** @throws Error that names the file when it is no .npy file of numbers in row-major order. */
export async function readNpyHeader(file: FileHandle, path: string): Promise<NpyHeader> {
  const start = Buffer.alloc(PREAMBLE_BYTES + 2);
  await file.read(start, 0, start.length, 0);
  if (start.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error(`"${path}" is no .npy file`);
  const wide = (start[MAGIC.length] ?? 1) > 1;
  const headerBytes = wide ? start.readUInt32LE(MAGIC.length + 2) : start.readUInt16LE(MAGIC.length + 2);
  const headerOffset = PREAMBLE_BYTES + (wide ? 2 : 0);
  if (headerBytes > MOST_HEADER_BYTES) throw new Error(`"${path}" is a damaged .npy file`);
  const header = Buffer.alloc(headerBytes);
  await file.read(header, 0, headerBytes, headerOffset);
  const text = header.toString('latin1');
  const descr = /'descr':\s*'([^']+)'/.exec(text)?.[1] ?? '';
  const shape = /'shape':\s*\(([^)]*)\)/.exec(text)?.[1];
  if (shape === undefined || KINDS[descr] === undefined) {
    throw new Error(`"${path}" holds elements of type '${descr}'; save it as one of ${Object.keys(KINDS).join(', ')}`);
  }
  if (/'fortran_order':\s*True/.test(text)) {
    throw new Error(`"${path}" is in column-major order; save numpy.ascontiguousarray of it`);
  }
  const dims = shape.split(',').flatMap((size) => (size.trim() === '' ? [] : [Number(size)]));
  return { dims, descr, dataOffset: headerOffset + headerBytes };
}

/**
 * Reads an array, or one row of it, as float32.
 * @param row index on the first axis; nothing: all
 * @throws Error that names the file when it is no such array, has no such row, or is cut short.
 */
export async function readNpy(path: string, row?: number): Promise<NpyArray<Float32Array>> {
  await using file = await open(path);
  const header = await readNpyHeader(file, path);
  if (row === undefined) return { dims: header.dims, data: asFloats(header, await readPart(file, path, header, 0, 1)) };
  const rows = header.dims[0] ?? 0;
  if (!(row < rows)) throw new Error(`"${path}" has ${rows} rows, so there is no row ${row} (the first is 0)`);
  return { dims: header.dims.slice(1), data: asFloats(header, await readPart(file, path, header, row, rows)) };
}

/**
 * Reads rows in the order given, `[rows, ...]`: bytes as they are, other elements as float32.
 * @throws Error that names the file when it is no such array, has no such row, or is cut short.
 */
export async function readNpyRows(
  path: string,
  rows: readonly number[],
): Promise<NpyArray<Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>>> {
  await using file = await open(path);
  const header = await readNpyHeader(file, path);
  const [count = 0, ...own] = header.dims;
  const each = own.reduce((product, size) => product * size, 1);
  const isBytes = header.descr === BYTE;
  const data = isBytes ? new Uint8Array(rows.length * each) : new Float32Array(rows.length * each);
  for (const [at, row] of rows.entries()) {
    if (!(row < count)) throw new Error(`"${path}" has ${count} rows, so there is no row ${row} (the first is 0)`);
    const bytes = await readPart(file, path, header, row, count);
    data.set(isBytes ? bytes : asFloats(header, bytes), at * each);
  }
  return { dims: [rows.length, ...own], data };
}

/** The bytes of one of equal parts of the array. */
async function readPart(file: FileHandle, path: string, header: NpyHeader, part: number, parts: number) {
  const elements = header.dims.reduce((product, size) => product * size, 1) / parts;
  const bytes = new Uint8Array(elements * kindOf(header).bytes);
  const { bytesRead } = await file.read(bytes, 0, bytes.length, header.dataOffset + part * bytes.length);
  if (bytesRead < bytes.length) throw new Error(`"${path}" is cut short`);
  return bytes;
}

function asFloats(header: NpyHeader, bytes: Uint8Array<ArrayBuffer>): Float32Array<ArrayBuffer> {
  if (header.descr === FLOAT && LITTLE_ENDIAN) return new Float32Array(bytes.buffer);
  const kind = kindOf(header);
  const buffer = Buffer.from(bytes.buffer);
  return Float32Array.from({ length: bytes.length / kind.bytes }, (_, index) => kind.read(buffer, index * kind.bytes));
}

function kindOf({ descr }: NpyHeader): ElementKind {
  const kind = KINDS[descr];
  if (kind === undefined) throw new Error(`elements of type '${descr}' are not read`);
  return kind;
}
