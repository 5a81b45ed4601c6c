import { inflateSync, zstdDecompressSync } from 'node:zlib';

// Qt's binary resource files. Source: qtbase/src/corelib/io/qresource.cpp and qtbase/src/tools/rcc/rcc.cpp.

const MAGIC = 'qres';
const IS_ZLIB = 1;
const IS_DIRECTORY = 2;
const IS_ZSTD = 4;
/** From format 2 on a node ends with a time stamp. */
const NODE_BYTES = [14, 22] as const;
const SIZE_BYTES = 4;

/**
 * A file of an .rcc archive, by its path from the root.
 * @throws Error when these are no Qt resources, or hold no such file.
 */
export function readQtResource(archive: Buffer, path: string): Buffer {
  if (archive.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('these are no Qt resources');
  const version = archive.readUInt32BE(4);
  const tree = archive.readUInt32BE(8);
  const data = archive.readUInt32BE(12);
  const names = archive.readUInt32BE(16);
  const nodeBytes = version >= 2 ? NODE_BYTES[1] : NODE_BYTES[0];
  const nodeAt = (index: number) => tree + index * nodeBytes;
  const nameOf = (node: number): string => {
    const at = names + archive.readUInt32BE(node);
    const bytes = Buffer.from(archive.subarray(at + 6, at + 6 + 2 * archive.readUInt16BE(at)));
    return bytes.swap16().toString('utf16le');
  };
  let node = nodeAt(0);
  for (const part of path.split('/')) {
    const isDirectory = (archive.readUInt16BE(node + 4) & IS_DIRECTORY) !== 0;
    const count = isDirectory ? archive.readUInt32BE(node + 6) : 0;
    const first = isDirectory ? archive.readUInt32BE(node + 10) : 0;
    const child = Array.from({ length: count }, (_, at) => nodeAt(first + at)).find((at) => nameOf(at) === part);
    if (child === undefined) throw new Error(`the Qt resources hold no "${path}"`);
    node = child;
  }
  const flags = archive.readUInt16BE(node + 4);
  const start = data + archive.readUInt32BE(node + 10);
  const bytes = archive.subarray(start + SIZE_BYTES, start + SIZE_BYTES + archive.readUInt32BE(start));
  // qCompress puts the size of the content in front.
  if (flags & IS_ZLIB) return inflateSync(bytes.subarray(SIZE_BYTES));
  return flags & IS_ZSTD ? zstdDecompressSync(bytes) : bytes;
}
