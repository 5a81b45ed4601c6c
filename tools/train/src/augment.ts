import type { CounterRandom } from '@faultline/training';

/** A composed example: sound in [-1, 1], picture bytes `[frames, 3, height, width]`, what is heard and seen as 0/1 vectors. */
export interface Clip {
  readonly waveform: Float32Array;
  readonly frames: Uint8Array;
  readonly heard: Float32Array;
  readonly seen: Float32Array;
}

/** In pixels. */
export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** Where an augmented clip goes; pictures in [0, 1]. */
export interface ClipRow {
  readonly waveform: Float32Array;
  readonly frames: Float32Array;
  readonly targets: Float32Array;
  readonly heard: Float32Array;
  readonly seen: Float32Array;
}

/** Shares of drawn clips. Where the sound tells all, pictures teach nothing: re-paired and silent clips keep them needed. */
const REPAIRED_SHARE = 0.35;
const MIXED_SHARE = 0.2;
const TIME_MASKED_SHARE = 0.3;
const PICTURE_MASKED_SHARE = 0.2;
/** No sound, or no picture: neither modality may become the only one that counts. */
const SILENT_SHARE = 0.1;
const BLANK_SHARE = 0.05;

const GAIN_DB = 6;
const TILT = 0.5;
const LARGEST_MASK_SHARE = 0.25;
/** Logarithms of the largest factors; shifts are shares of the picture's side, offsets of its range. */
const ZOOM = 0.25;
const ASPECT = 0.12;
const CONTRAST = 0.3;
const COLOUR_GAIN = 0.15;
const SHIFT = 0.1;
const COLOUR_OFFSET = 0.1;
const BLANK_GREY = 0.5;
const BLANK_TABLE = new Float32Array(256).fill(BLANK_GREY);
/** Side of a masked box, as a share of the picture's. */
const SMALLEST_BOX = 0.2;
const LARGEST_BOX = 0.5;

/**
 * Draws one clip, changed: sound mixed, tilted, masked; picture mirrored, stretched, recoloured, masked; sometimes re-paired.
 * @param choose a clip by numbers in [0, 1)
 */
export function drawClip(
  choose: (next: () => number) => Clip,
  random: CounterRandom,
  picture: PictureSize,
  row: ClipRow,
): void {
  let index = 0;
  const next = () => random.uniform(index++);
  const pick = (): Clip => choose(next);
  const sound = pick();
  const sight = next() < REPAIRED_SHARE ? pick() : sound;
  row.waveform.set(sound.waveform);
  row.heard.set(sound.heard);
  row.seen.set(sight.seen);
  if (next() < MIXED_SHARE) mixIn(row, pick(), decibels((next() - 0.5) * 2 * GAIN_DB));
  shapeSound(row.waveform, next);
  copyPicture(sight.frames, row.frames, picture, next);
  for (const label of row.targets.keys()) {
    row.targets[label] = Math.max(row.heard[label] ?? 0, row.seen[label] ?? 0);
  }
  const missing = next();
  if (missing < SILENT_SHARE) {
    row.waveform.fill(0);
    row.heard.fill(0);
  } else if (missing < SILENT_SHARE + BLANK_SHARE) {
    row.frames.fill(BLANK_GREY);
    row.seen.fill(0);
  }
}

const decibels = (value: number): number => 10 ** (value / 20);

function mixIn(row: ClipRow, other: Clip, gain: number): void {
  const { waveform, heard } = row;
  for (let sample = 0; sample < waveform.length; sample++) {
    waveform[sample] = (waveform[sample] ?? 0) + gain * (other.waveform[sample] ?? 0);
  }
  for (const [label, value] of other.heard.entries()) if (value > 0) heard[label] = 1;
}

/** Gain, a spectral tilt (one zero), and sometimes a silent stretch. */
function shapeSound(waveform: Float32Array, next: () => number): void {
  const gain = decibels((2 * next() - 1) * GAIN_DB);
  const tilt = (2 * next() - 1) * TILT;
  let before = 0;
  for (let sample = 0; sample < waveform.length; sample++) {
    const value = waveform[sample] ?? 0;
    waveform[sample] = gain * (value + tilt * before);
    before = value;
  }
  const masked = next() < TIME_MASKED_SHARE;
  const length = Math.floor(next() * LARGEST_MASK_SHARE * waveform.length);
  const start = Math.floor(next() * (waveform.length - length));
  if (masked) waveform.fill(0, start, start + length);
}

/** Mirrors half of the pictures, stretches, moves and recolours them, and sometimes greys out a box, alike in all frames. */
function copyPicture(bytes: Uint8Array, pixels: Float32Array, size: PictureSize, next: () => number): void {
  const { width, height } = size;
  const plane = width * height;
  const mirrored = next() < 0.5;
  const zoom = spread(ZOOM, next);
  const aspect = spread(ASPECT, next);
  const columns = axis(width, Math.exp(zoom + aspect), next);
  const rows = axis(height, Math.exp(zoom - aspect), next);
  if (mirrored) columns.reverse();
  const contrast = Math.exp(spread(CONTRAST, next));
  const tables = Array.from({ length: 3 }, () => {
    const gain = contrast * Math.exp(spread(COLOUR_GAIN, next));
    const offset = BLANK_GREY * (1 - contrast) + spread(COLOUR_OFFSET, next);
    return Float32Array.from({ length: 256 }, (_, byte) => Math.min(1, Math.max(0, (gain * byte) / 255 + offset)));
  });
  for (let start = 0; start < pixels.length; start += plane) {
    const table = tables[(start / plane) % 3] ?? BLANK_TABLE;
    let at = start;
    for (let row = 0; row < height; row++) {
      const from = start + (rows[row] ?? 0) * width;
      for (let column = 0; column < width; column++, at++) {
        pixels[at] = table[bytes[from + (columns[column] ?? 0)] ?? 0] ?? 0;
      }
    }
  }
  const masked = next() < PICTURE_MASKED_SHARE;
  const side = Math.floor(Math.min(width, height) * (SMALLEST_BOX + (LARGEST_BOX - SMALLEST_BOX) * next()));
  const left = Math.floor(next() * (width - side));
  const top = Math.floor(next() * (height - side));
  if (!masked) return;
  for (let start = 0; start < pixels.length; start += plane) {
    for (let row = top; row < top + side; row++) {
      pixels.fill(BLANK_GREY, start + row * width + left, start + row * width + left + side);
    }
  }
}

/** Evenly in [-limit, limit]. */
const spread = (limit: number, next: () => number): number => (2 * next() - 1) * limit;

/** Where each pixel of an axis is taken from: the nearest one of a window `scale` times as long, moved; the picture's edge beyond it. */
function axis(length: number, scale: number, next: () => number): Int32Array {
  const centre = length * (0.5 + spread(SHIFT, next));
  return Int32Array.from({ length }, (_, at) => {
    const place = Math.floor(centre + scale * (at + 0.5 - length / 2));
    return Math.min(length - 1, Math.max(0, place));
  });
}
