import { type FileHandle, open } from 'node:fs/promises';
import { inflateRawSync } from 'node:zlib';

// PKWARE APPNOTE 6.3.10, without zip64 and encryption.

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const MOST_COMMENT_BYTES = 65_535;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const METHOD_STORED = 0;
const METHOD_DEFLATED = 8;

interface ZipEntry {
  readonly method: number;
  readonly compressedBytes: number;
  readonly localOffset: number;
}

/** Files of a zip archive, which may be larger than memory. */
export class ZipArchive implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #entries: ReadonlyMap<string, ZipEntry>;

  private constructor(file: FileHandle, path: string, entries: ReadonlyMap<string, ZipEntry>) {
    this.#file = file;
    this.#path = path;
    this.#entries = entries;
  }

  /** @throws Error that names the file when it is no zip archive. */
  static async open(path: string): Promise<ZipArchive> {
    const file = await open(path);
    const { size } = await file.stat();
    const tailBytes = Math.min(size, END_BYTES + MOST_COMMENT_BYTES);
    const tail = await readAt(file, size - tailBytes, tailBytes);
    let end = tail.length - END_BYTES;
    while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--;
    if (end < 0) {
      await file.close();
      throw new Error(`"${path}" is no zip archive`);
    }
    const directory = await readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
    return new ZipArchive(file, path, directoryEntries(directory, tail.readUInt16LE(end + 10)));
  }

  /** @throws Error when there is no such file in the archive. */
  async read(name: string): Promise<Buffer> {
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new Error(`"${this.#path}" holds no "${name}"`);
    const local = await readAt(this.#file, entry.localOffset, LOCAL_BYTES);
    const start = entry.localOffset + LOCAL_BYTES + local.readUInt16LE(26) + local.readUInt16LE(28);
    const bytes = await readAt(this.#file, start, entry.compressedBytes);
    if (entry.method === METHOD_STORED) return bytes;
    if (entry.method === METHOD_DEFLATED) return inflateRawSync(bytes);
    throw new Error(`"${name}" in "${this.#path}" is compressed by method ${entry.method}, which is not read`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

function directoryEntries(directory: Buffer, count: number): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    const nameBytes = directory.readUInt16LE(at + 28);
    entries.set(directory.toString('utf8', at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes), {
      method: directory.readUInt16LE(at + 10),
      compressedBytes: directory.readUInt32LE(at + 20),
      localOffset: directory.readUInt32LE(at + 42),
    });
    at += ENTRY_BYTES + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  await file.read(bytes, 0, length, position);
  return bytes;
}
