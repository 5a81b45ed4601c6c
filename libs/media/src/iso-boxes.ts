import { MediaError } from './media-error.ts';
import type { StoredMedia } from './stored-media.ts';

/** Size and type, 4 bytes each, begin every box (ISO/IEC 14496-12, section 4.2). */
const BOX_HEADER_BYTES = 8;
const LARGE_SIZE_BYTES = 8;
/** Box sizes with a meaning of their own. */
const SIZE_FOLLOWS = 1;
const REACHES_THE_END = 0;

/**
 * Checks that the outermost boxes of an mp4 or QuickTime file are all there. FFmpeg makes do with an index that is cut off,
 * and would give shorter media than the file held without a word.
 * @throws MediaError `undecodable` when the last box is cut off.
 */
export function requireWholeBoxes(media: Pick<StoredMedia, 'size' | 'read'>): void {
  let offset = 0;
  while (offset < media.size) {
    const left = media.size - offset;
    const size = boxSize(media.read(offset, BOX_HEADER_BYTES + LARGE_SIZE_BYTES));
    if (size === REACHES_THE_END) return;
    if (size > left || size < BOX_HEADER_BYTES) {
      throw new MediaError(
        'undecodable',
        `the media ends in the middle: ${left} bytes are left where ${size} should be; give a whole file`,
      );
    }
    offset += size;
  }
}

/** @param header the box's first 16 bytes, or fewer at the end of the file */
function boxSize(header: Buffer): number {
  if (header.length < BOX_HEADER_BYTES) return BOX_HEADER_BYTES;
  const size = header.readUint32BE(0);
  if (size !== SIZE_FOLLOWS) return size;
  if (header.length < BOX_HEADER_BYTES + LARGE_SIZE_BYTES) return BOX_HEADER_BYTES + LARGE_SIZE_BYTES;
  return Number(header.readBigUint64BE(BOX_HEADER_BYTES));
}
