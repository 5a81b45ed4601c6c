import { Decoder, Demuxer } from 'node-av/api';
import { AV_SAMPLE_FMT_S16 } from 'node-av/constants';
import sharp from 'sharp';

export const SAMPLE_RATE_HZ = 16_000;

/** Premultiplied RGBA, with a transparent border of one pixel so that bilinear sampling fades at the edge. */
export interface PictureLevel {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** A picture and its halvings, largest first. */
export interface Picture {
  readonly levels: readonly PictureLevel[];
}

const SMALLEST_LEVEL = 12;
const BYTES_PER_PIXEL = 4;

/**
 * Sound from a file as 16-bit samples.
 * @throws Error unless the file is 16-bit mono at 16 kHz, as source packs are.
 */
export async function decodeSound(path: string): Promise<Int16Array> {
  await using demuxer = await Demuxer.open(path);
  const stream = demuxer.audio();
  if (stream === undefined) throw new Error(`"${path}" has no audio stream`);
  const { sampleRate, channels } = stream.codecpar;
  if (sampleRate !== SAMPLE_RATE_HZ || channels !== 1) {
    throw new Error(`"${path}" has ${channels} channel(s) at ${sampleRate} Hz; source packs hold mono at 16000 Hz`);
  }
  using decoder = await Decoder.create(stream);
  const parts: Buffer[] = [];
  for await (using frame of decoder.frames(demuxer.packets(stream.index))) {
    const data = frame?.data?.[0];
    if (!frame || !data) continue;
    if (frame.format !== AV_SAMPLE_FMT_S16) throw new Error(`"${path}" does not hold 16-bit samples`);
    parts.push(Buffer.from(data.subarray(0, frame.nbSamples * Int16Array.BYTES_PER_ELEMENT)));
  }
  const bytes = Buffer.concat(parts);
  const samples = new Int16Array(bytes.length / Int16Array.BYTES_PER_ELEMENT);
  new Uint8Array(samples.buffer).set(bytes);
  return samples;
}

/** A picture from a file, at most `longSide` pixels, with its halvings. */
export async function decodePicture(path: string, longSide: number): Promise<Picture> {
  const { data, info } = await sharp(path)
    .resize({ width: longSide, height: longSide, fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  let level = bordered(premultiplied(data), info.width, info.height);
  const levels = [level];
  while (Math.min(level.width, level.height) - 2 >= 2 * SMALLEST_LEVEL) {
    level = halved(level);
    levels.push(level);
  }
  return { levels };
}

function premultiplied(rgba: Uint8Array): Uint8Array {
  const result = new Uint8Array(rgba.length);
  for (let at = 0; at < rgba.length; at += BYTES_PER_PIXEL) {
    const alpha = rgba[at + 3] ?? 0;
    for (let channel = 0; channel < 3; channel++) {
      result[at + channel] = Math.round(((rgba[at + channel] ?? 0) * alpha) / 255);
    }
    result[at + 3] = alpha;
  }
  return result;
}

function bordered(rgba: Uint8Array, width: number, height: number): PictureLevel {
  const outerWidth = width + 2;
  const pixels = new Uint8Array(outerWidth * (height + 2) * BYTES_PER_PIXEL);
  const rowBytes = width * BYTES_PER_PIXEL;
  for (let row = 0; row < height; row++) {
    const target = ((row + 1) * outerWidth + 1) * BYTES_PER_PIXEL;
    pixels.set(rgba.subarray(row * rowBytes, (row + 1) * rowBytes), target);
  }
  return { width: outerWidth, height: height + 2, pixels };
}

/** Area average of 2 x 2 inner pixels; an odd last row or column is dropped. */
function halved(level: PictureLevel): PictureLevel {
  const width = (level.width - 2) >> 1;
  const height = (level.height - 2) >> 1;
  const inner = new Uint8Array(width * height * BYTES_PER_PIXEL);
  const { pixels } = level;
  const stride = level.width * BYTES_PER_PIXEL;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = (2 * row + 1) * stride + (2 * column + 1) * BYTES_PER_PIXEL;
      const to = (row * width + column) * BYTES_PER_PIXEL;
      for (let channel = 0; channel < BYTES_PER_PIXEL; channel++) {
        const at = from + channel;
        const sum =
          (pixels[at] ?? 0) +
          (pixels[at + BYTES_PER_PIXEL] ?? 0) +
          (pixels[at + stride] ?? 0) +
          (pixels[at + stride + BYTES_PER_PIXEL] ?? 0);
        inner[to + channel] = (sum + 2) >> 2;
      }
    }
  }
  return bordered(inner, width, height);
}
