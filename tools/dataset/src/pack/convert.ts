import { decodeAudioFile, encodeWav, type Media } from '@faultline/media';
import sharp from 'sharp';
import { decodeSound, SAMPLE_RATE_HZ } from '../decode.ts';
import type { SourceKind } from '../manifest.ts';

/** Longer recordings are cut to their loudest part. */
const LONGEST_SECONDS = 8;
/** The loudest part is looked for in steps of 10 ms. */
const STEP_SAMPLES = 160;
const INT16_SCALE = 1 / 32_768;
const LONG_SIDES: Readonly<Record<'image' | 'background', number>> = { image: 256, background: 320 };
const WEBP = { quality: 90, alphaQuality: 100 };
/** SVG's unit is 1/96 inch; drawn at this many dots an inch, an icon of 16 units is large enough to be shrunk. */
const SVG_DENSITY = 1800;
/** The renderer draws no more than this on a side. */
const MOST_SVG_PIXELS = 2048;

/** Sound of a file as packs hold it: 16-bit mono at 16 kHz, at most 8 s, as WAV. */
export async function packSound(media: Media): Promise<Uint8Array> {
  return encodeWav(loudest(await waveformOf(media)), SAMPLE_RATE_HZ);
}

async function waveformOf(media: Media): Promise<Float32Array> {
  // G.722 has no container: its name alone says what it is.
  if ('path' in media && media.path.endsWith('.g722')) {
    return Float32Array.from(await decodeSound(media.path), (sample) => sample * INT16_SCALE);
  }
  return decodeAudioFile(media);
}

/** The loudest 8 s of a waveform. */
export function loudest(waveform: Float32Array): Float32Array {
  const length = LONGEST_SECONDS * SAMPLE_RATE_HZ;
  if (waveform.length <= length) return waveform;
  const energy = (from: number, to: number) =>
    waveform.subarray(from, to).reduce((sum, value) => sum + value * value, 0);
  let current = energy(0, length);
  let best = { start: 0, energy: current };
  for (let start = STEP_SAMPLES; start + length <= waveform.length; start += STEP_SAMPLES) {
    current += energy(start + length - STEP_SAMPLES, start + length) - energy(start - STEP_SAMPLES, start);
    if (current > best.energy) best = { start, energy: current };
  }
  return waveform.subarray(best.start, best.start + length);
}

/** A picture as packs hold it: the visible part, at most 256 pixels on the long side (320 of a background), as WebP. */
export async function packPicture(bytes: Buffer, kind: SourceKind): Promise<Uint8Array> {
  const side = LONG_SIDES[kind === 'background' ? 'background' : 'image'];
  const isVector = bytes.subarray(0, 1024).includes('<svg') || bytes.subarray(0, 5).toString() === '<?xml';
  // Drawings are rasterised to the side before they are cropped, photographs cropped before they shrink: as the original pack was.
  const raster = isVector ? await rasterised(bytes, side) : bytes;
  const visible = await cropped(raster);
  return sharp(visible)
    .resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true })
    .webp(WEBP)
    .toBuffer();
}

async function rasterised(svg: Buffer, side: number): Promise<Buffer> {
  const { width = 1, height = 1, density = 72 } = await sharp(svg).metadata();
  const most = (MOST_SVG_PIXELS / Math.max(width, height)) * density;
  return sharp(svg, { density: Math.max(1, Math.min(SVG_DENSITY, most)) })
    .resize({ width: side, height: side, fit: 'inside' })
    .png()
    .toBuffer();
}

/** Without the transparent margin. */
async function cropped(bytes: Buffer): Promise<Buffer> {
  const picture = sharp(bytes).ensureAlpha();
  const { data, info } = await picture.clone().extractChannel('alpha').raw().toBuffer({ resolveWithObject: true });
  let [left, top, right, bottom] = [info.width, info.height, -1, -1];
  for (let at = 0; at < data.length; at++) {
    if (data[at] === 0) continue;
    const [x, y] = [at % info.width, Math.floor(at / info.width)];
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  if (right < 0) throw new Error('the picture is wholly transparent');
  return picture
    .extract({ left, top, width: right - left + 1, height: bottom - top + 1 })
    .png()
    .toBuffer();
}
