import { open, readFile, rename } from 'node:fs/promises';
import { elementCount, float32, type Tensor } from '@faultline/onnx';

/** Named tensors and plain data of a training that was interrupted. */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Plain JSON. */
  readonly metadata: unknown;
}

/** A file that is no checkpoint, or a damaged one; the message names it. */
export class CheckpointError extends Error {
  override name = 'CheckpointError';
}

interface Place {
  readonly name: string;
  readonly dims: readonly number[];
}

const MAGIC = 'faultline-checkpoint-1\n';
const LENGTH_BYTES = 8;

/**
 * Writes a checkpoint: the old file stays whole until the new one is on the disk.
 * Layout: a line of magic, the header's length (8 bytes, little endian), the header as JSON, float32 data in its order.
 */
export async function writeCheckpoint(path: string, { tensors, metadata }: Checkpoint): Promise<void> {
  const places: Place[] = [];
  const parts: Uint8Array[] = [];
  for (const [name, { dims, data }] of tensors) {
    if (!(data instanceof Float32Array)) throw new CheckpointError(`tensor '${name}' is no float32 tensor`);
    places.push({ name, dims });
    parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  const header = Buffer.from(JSON.stringify({ tensors: places, metadata }));
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeBigUInt64LE(BigInt(header.length));
  const temporary = `${path}.${process.pid}`;
  {
    await using file = await open(temporary, 'w');
    await file.writeFile(Buffer.concat([Buffer.from(MAGIC), length, header, ...parts]));
    await file.sync();
  }
  await rename(temporary, path);
}

/** @returns nothing when there is no such file. @throws CheckpointError when it is none of ours, or cut short. */
export async function readCheckpoint(path: string): Promise<Checkpoint | undefined> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (bytes === undefined) return undefined;
  const damaged = () => new CheckpointError(`${path} is no whole checkpoint; remove it to begin anew`);
  if (bytes.subarray(0, MAGIC.length).toString() !== MAGIC) throw damaged();
  const start = MAGIC.length + LENGTH_BYTES;
  if (bytes.length < start) throw damaged();
  const end = start + Number(bytes.readBigUInt64LE(MAGIC.length));
  if (bytes.length < end) throw damaged();
  const header: { readonly tensors: readonly Place[]; readonly metadata: unknown } = JSON.parse(
    bytes.subarray(start, end).toString(),
  );
  const tensors = new Map<string, Tensor>();
  let at = end;
  for (const { name, dims } of header.tensors) {
    const size = elementCount(dims) * Float32Array.BYTES_PER_ELEMENT;
    if (at + size > bytes.length) throw damaged();
    tensors.set(name, float32(new Float32Array(new Uint8Array(bytes.subarray(at, at + size)).buffer), dims));
    at += size;
  }
  return { tensors, metadata: header.metadata };
}
