import { MediaError } from './media-error.ts';

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
export function requireWholeBoxes(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  while (offset < bytes.length) {
    const left = bytes.length - offset;
    const size = boxSize(view, offset);
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

function boxSize(view: DataView, offset: number): number {
  const left = view.byteLength - offset;
  if (left < BOX_HEADER_BYTES) return BOX_HEADER_BYTES;
  const size = view.getUint32(offset);
  if (size !== SIZE_FOLLOWS) return size;
  if (left < BOX_HEADER_BYTES + LARGE_SIZE_BYTES) return BOX_HEADER_BYTES + LARGE_SIZE_BYTES;
  return Number(view.getBigUint64(offset + BOX_HEADER_BYTES));
}
