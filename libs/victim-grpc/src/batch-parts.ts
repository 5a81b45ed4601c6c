import { type DenseTensor, joinRows, sliceRows } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Tensors } from '@faultline/victim';

/** A run of rows of a batch. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** Rows of a batch; undefined where tensors disagree about them. */
export function batchRows(tensors: Tensors): number | undefined {
  const rows = new Set([...tensors.values()].map(({ dims }) => dims[0]));
  const [first] = rows;
  return rows.size === 1 ? first : undefined;
}

/** Bytes of one row of all tensors, as float32: an answer holds float32 whatever was sent. */
export const rowBytes = (tensors: Tensors, rows: number): number =>
  [...tensors.values()].reduce((sum, { data }) => sum + data.length, 0) *
  (Float32Array.BYTES_PER_ELEMENT / Math.max(1, rows));

/** Cuts `rows` rows in parts of at most `maxBytes` (or one row). */
export function* rowRanges(rows: number, bytesPerRow: number, maxBytes: number): Generator<RowRange> {
  const step = Math.max(1, Math.floor(maxBytes / Math.max(1, bytesPerRow)));
  for (let from = 0; from < rows; from += step) yield { from, to: Math.min(rows, from + step) };
}

export const sliceAll = (tensors: Tensors, { from, to }: RowRange): Tensors =>
  new Map([...tensors].map(([name, tensor]) => [name, sliceRows(tensor, from, to)]));

/** Puts the parts of float32 answers together, name by name. */
export function joinAll(parts: readonly Tensors[]): Map<string, DenseTensor<Float32Array>> {
  const [first] = parts;
  return new Map(
    [...(first ?? new Map<string, DenseTensor>()).keys()].map((name) => [
      name,
      floatTensor(joinRows(parts.flatMap((part) => part.get(name) ?? [])), name),
    ]),
  );
}

/** @throws FaultlineError when a service answered with another type. */
export function floatTensor({ dims, data }: DenseTensor, name: string): DenseTensor<Float32Array> {
  if (!(data instanceof Float32Array)) throw new FaultlineError('internal', `sent '${name}' without float32 values`);
  return { dims, data };
}
