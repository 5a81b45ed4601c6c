import { AV_FRAME_DATA_DISPLAYMATRIX } from 'node-av/constants';
import type { Frame } from 'node-av/lib';

/**
 * How a decoded picture is turned and mirrored to be shown: shown pixel (x, y) is pixel (p, q) of the stored picture, where
 * p runs along x, or along y when `turned`, and backwards when `flipsColumns`; q likewise.
 */
export interface Orientation {
  /** By a quarter: rows become columns. */
  readonly turned: boolean;
  /** Stored columns are read from the last to the first. */
  readonly flipsColumns: boolean;
  readonly flipsRows: boolean;
}

export const UPRIGHT: Orientation = { turned: false, flipsColumns: false, flipsRows: false };

/** Nine 32-bit numbers, in the byte order of the machine (little-endian wherever Node runs FFmpeg). */
const MATRIX_BYTES = 36;
const NUMBER_BYTES = 4;

/**
 * The orientation that the file asks for (ISO/IEC 14496-12, section 6.2.2: shown x = a p + c q, shown y = b p + d q), to the
 * nearest quarter turn.
 */
export function orientationOf(frame: Frame): Orientation {
  const matrix = frame.getSideData(AV_FRAME_DATA_DISPLAYMATRIX);
  if (matrix === null || matrix.length < MATRIX_BYTES) return UPRIGHT;
  return orientationOfMatrix([0, 1, 3, 4].map((index) => matrix.readInt32LE(index * NUMBER_BYTES)));
}

/** @param matrix a, b, c, d in any common scale */
export function orientationOfMatrix([a = 1, b = 0, c = 0, d = 1]: readonly number[]): Orientation {
  return Math.abs(a) + Math.abs(d) >= Math.abs(b) + Math.abs(c)
    ? { turned: false, flipsColumns: a < 0, flipsRows: d < 0 }
    : { turned: true, flipsColumns: b < 0, flipsRows: c < 0 };
}
