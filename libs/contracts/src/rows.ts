import { type DenseTensor, elementCount, type TensorElements } from './tensor.ts';

/** Upload pieces stay below gRPC's default limit of 4 MiB, so that any proxy in between lets them pass. */
export const ROW_CHUNK_BYTES = 4 * 1024 * 1024 - 64 * 1024;

/** A piece of a tensor, cut along its first axis; the elements are a view. */
export interface RowChunk {
  readonly rows: DenseTensor;
  readonly last: boolean;
}

/** Rows `from` to `to` of a tensor as a view. */
export function sliceRows(tensor: DenseTensor, from: number, to: number): DenseTensor {
  const [, ...rowDims] = tensor.dims;
  const size = elementCount(rowDims);
  return { dims: [to - from, ...rowDims], data: tensor.data.subarray(from * size, to * size) };
}

/**
 * These rows of a tensor, in the order given; a single one is a view.
 * @throws Error without rows.
 */
export function pickRows<Elements extends TensorElements>(
  tensor: DenseTensor<Elements>,
  rows: readonly number[],
): DenseTensor<Elements> {
  // Joining keeps the kind of elements.
  return joinRows(rows.map((row) => sliceRows(tensor, row, row + 1))) as DenseTensor<Elements>;
}

/** Rows that fit in `maxBytes`; at least one. */
export function rowsWithin(tensor: DenseTensor, maxBytes: number): number {
  const rowBytes = elementCount(tensor.dims.slice(1)) * tensor.data.BYTES_PER_ELEMENT;
  return Math.max(1, Math.floor(maxBytes / Math.max(1, rowBytes)));
}

/** Cuts a tensor along its first axis into pieces of at most `maxBytes` (or one row). A scalar is one piece as it is. */
export function* rowChunks(tensor: DenseTensor, maxBytes = ROW_CHUNK_BYTES): Generator<RowChunk> {
  const [rows] = tensor.dims;
  if (rows === undefined || rows === 0) {
    yield { rows: tensor, last: true };
    return;
  }
  const step = rowsWithin(tensor, maxBytes);
  for (let from = 0; from < rows; from += step) {
    const to = Math.min(rows, from + step);
    yield { rows: sliceRows(tensor, from, to), last: to === rows };
  }
}

/**
 * Puts pieces together again along their first axis.
 * @throws Error when there is no piece, or when pieces differ in element type or row shape.
 */
export function joinRows(pieces: readonly DenseTensor[]): DenseTensor {
  const [first] = pieces;
  if (first === undefined) throw new Error('no rows to join');
  if (pieces.length === 1) return first;
  const rowDims = first.dims.slice(1);
  for (const piece of pieces) {
    if (piece.data.constructor !== first.data.constructor || piece.dims.slice(1).join() !== rowDims.join()) {
      throw new Error(
        `pieces [${first.dims.join(', ')}] and [${piece.dims.join(', ')}] differ in more than their rows`,
      );
    }
  }
  const rows = pieces.reduce((sum, piece) => sum + (piece.dims[0] ?? 0), 0);
  const data = emptyLike(first.data, rows * elementCount(rowDims));
  const bytes = new Uint8Array(data.buffer);
  let at = 0;
  for (const { data: piece } of pieces) {
    bytes.set(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength), at);
    at += piece.byteLength;
  }
  return { dims: [rows, ...rowDims], data };
}

function emptyLike(data: TensorElements, length: number): TensorElements {
  if (data instanceof Float32Array) return new Float32Array(length);
  if (data instanceof Float64Array) return new Float64Array(length);
  if (data instanceof Int32Array) return new Int32Array(length);
  if (data instanceof BigInt64Array) return new BigInt64Array(length);
  return new Uint8Array(length);
}
