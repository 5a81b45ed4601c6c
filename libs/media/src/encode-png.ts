import { crc32, deflateSync } from 'node:zlib';
import { MediaError, requirePositiveInteger } from './media-error.ts';

/** A picture in memory, row by row from the top left; exactly one of `rgb` and `gray`. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Interleaved red, green, blue: `[height, width, 3]`. */
  readonly rgb?: Uint8Array;
  /** Grey values: `[height, width]`. */
  readonly gray?: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BIT_DEPTH = 8;
const COLOUR_TYPE_GRAY = 0;
const COLOUR_TYPE_RGB = 2;
const FILTER_SUB = 1;
const COMPRESSION_LEVEL = 9;

/**
 * Writes an 8-bit PNG file (RFC 2083), grey or RGB.
 *
 * @throws MediaError `bad_specification` when the number of pixels is not `width` x `height`.
 */
export function encodePng(picture: Picture): Uint8Array {
  const { width, height, rgb, gray } = picture;
  requirePositiveInteger('width', width);
  requirePositiveInteger('height', height);
  const pixels = rgb ?? gray;
  const channels = rgb ? 3 : 1;
  if (!pixels || (rgb && gray)) throw new MediaError('bad_specification', 'give either rgb or gray pixels');
  if (pixels.length !== width * height * channels) {
    throw new MediaError(
      'bad_specification',
      `a ${width} x ${height} picture with ${channels} channels has ${width * height * channels} values, but got ${pixels.length}`,
    );
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header[8] = BIT_DEPTH;
  header[9] = rgb ? COLOUR_TYPE_RGB : COLOUR_TYPE_GRAY;
  const rows = filterRows(pixels, width * channels, channels);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows, { level: COMPRESSION_LEVEL })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** Each row prefixed by its filter type and stored as differences from the pixel to the left: photographs compress better so. */
function filterRows(pixels: Uint8Array, rowBytes: number, channels: number): Uint8Array {
  const rowCount = pixels.length / rowBytes;
  const filtered = new Uint8Array(pixels.length + rowCount);
  for (let row = 0; row < rowCount; row++) {
    const from = row * rowBytes;
    const to = row * (rowBytes + 1);
    filtered[to] = FILTER_SUB;
    for (let column = 0; column < rowBytes; column++) {
      const left = column < channels ? 0 : (pixels[from + column - channels] ?? 0);
      filtered[to + 1 + column] = (pixels[from + column] ?? 0) - left;
    }
  }
  return filtered;
}

function chunk(type: string, data: Uint8Array): Buffer {
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(4 + typed.length + 4);
  framed.writeUInt32BE(data.length, 0);
  typed.copy(framed, 4);
  framed.writeUInt32BE(crc32(typed), 4 + typed.length);
  return framed;
}
