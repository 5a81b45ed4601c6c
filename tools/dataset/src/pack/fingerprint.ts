import sharp from 'sharp';
import { decodeSound } from '../decode.ts';
import type { SourceKind } from '../manifest.ts';

/** Sides of the grid whose horizontal neighbours are compared. */
const COLUMNS = 9;
const ROWS = 8;
const BITS = COLUMNS * ROWS - ROWS;
const GREY = { r: 128, g: 128, b: 128 };
const HEX_DIGITS = BITS / 4;

/**
 * 64 bits that tell whether two files hold the same, in hexadecimal. Of a picture, the difference hash (which of two neighbours in a grid
 * is brighter); of a sound, in which of two neighbouring parts there is more energy.
 */
export async function fingerprint(path: string, kind: SourceKind): Promise<string> {
  const bits = kind === 'audio' || kind === 'noise' ? await soundBits(path) : await pictureBits(path);
  const value = bits.reduce((sum, bit) => (sum << 1n) | BigInt(bit), 0n);
  return value.toString(16).padStart(HEX_DIGITS, '0');
}

async function pictureBits(path: string): Promise<boolean[]> {
  const grey = await sharp(path)
    .flatten({ background: GREY })
    .greyscale()
    .resize({ width: COLUMNS, height: ROWS, fit: 'fill' })
    .raw()
    .toBuffer();
  return Array.from({ length: BITS }, (_, at) => {
    const place = Math.floor(at / (COLUMNS - 1)) * COLUMNS + (at % (COLUMNS - 1));
    return (grey[place] ?? 0) > (grey[place + 1] ?? 0);
  });
}

async function soundBits(path: string): Promise<boolean[]> {
  const samples = await decodeSound(path);
  const energies = Array.from({ length: BITS + 1 }, (_, part) => {
    const [from, to] = [part, part + 1].map((edge) => Math.floor((edge * samples.length) / (BITS + 1)));
    return samples.subarray(from, to).reduce((sum, value) => sum + value * value, 0);
  });
  return Array.from({ length: BITS }, (_, at) => (energies[at + 1] ?? 0) > (energies[at] ?? 0));
}

/** Bits in which two fingerprints differ, of 64: about 32 where they have nothing in common. */
export function distance(a: string, b: string): number {
  const different = (BigInt(`0x${a}`) ^ BigInt(`0x${b}`)).toString(2);
  return different.replaceAll('0', '').length;
}
