import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { crc32, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { encodePng } from './encode-png.ts';

const SIGNATURE_BYTES = 8;

interface PngChunk {
  readonly type: string;
  readonly data: Buffer;
}

function readChunks(png: Buffer): PngChunk[] {
  const chunks: PngChunk[] = [];
  for (let offset = SIGNATURE_BYTES; offset < png.length; ) {
    const length = png.readUInt32BE(offset);
    const typed = png.subarray(offset + 4, offset + 8 + length);
    assert.equal(png.readUInt32BE(offset + 8 + length), crc32(typed), 'checksum');
    chunks.push({ type: typed.toString('latin1', 0, 4), data: typed.subarray(4) });
    offset += 12 + length;
  }
  return chunks;
}

/** Undoes the "sub" filter, by RFC 2083 section 6.3. */
function readPixels(chunks: readonly PngChunk[], width: number, channels: number): number[] {
  const rows = inflateSync(chunks.find(({ type }) => type === 'IDAT')?.data ?? Buffer.alloc(0));
  const pixels: number[] = [];
  const rowBytes = width * channels + 1;
  for (let start = 0; start < rows.length; start += rowBytes) {
    assert.equal(rows[start], 1, 'filter type');
    const row = [...rows.subarray(start + 1, start + rowBytes)];
    row.forEach((value, column) => {
      if (column >= channels) row[column] = (value + (row[column - channels] ?? 0)) & 0xff;
    });
    pixels.push(...row);
  }
  return pixels;
}

describe('encodePng', () => {
  it('keeps every pixel', () => {
    const size = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(
        size,
        size,
        fc.constantFrom('rgb', 'gray'),
        fc.infiniteStream(fc.nat(255)),
        (width, height, kind, values) => {
          const channels = kind === 'rgb' ? 3 : 1;
          const pixels = Uint8Array.from(values.take(width * height * channels));
          const chunks = readChunks(Buffer.from(encodePng({ width, height, [kind]: pixels })));
          assert.deepEqual(
            chunks.map(({ type }) => type),
            ['IHDR', 'IDAT', 'IEND'],
          );
          const header = chunks[0]?.data ?? Buffer.alloc(0);
          assert.deepEqual([header.readUInt32BE(0), header.readUInt32BE(4)], [width, height]);
          assert.deepEqual([...header.subarray(8)], [8, kind === 'rgb' ? 2 : 0, 0, 0, 0]);
          assert.deepEqual(readPixels(chunks, width, channels), [...pixels]);
        },
      ),
    );
  });

  it('refuses pixels that do not fill the picture', () => {
    assert.throws(() => encodePng({ width: 2, height: 2, gray: new Uint8Array(3) }), {
      reason: 'bad_specification',
      message: /2 x 2 picture with 1 channels has 4 values, but got 3/,
    });
    assert.throws(() => encodePng({ width: 2, height: 2 }), { reason: 'bad_specification' });
  });
});
