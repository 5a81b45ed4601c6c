import { encodePng } from '@faultline/media/encode-png';
import { spectrogram } from './spectrogram.ts';

/** Loudest and quietest level that a spectrogram shows, dB relative to full scale. */
export const SPECTROGRAM_TOP_DB = -10;
export const SPECTROGRAM_BOTTOM_DB = -90;

/** Corners of a perceptually even ramp from black over purple and orange to pale yellow (after matplotlib's inferno). */
const RAMP = [
  [0, 0, 4],
  [40, 11, 84],
  [101, 21, 110],
  [159, 42, 99],
  [212, 72, 66],
  [245, 125, 21],
  [250, 193, 39],
  [252, 255, 164],
] as const;

/** Colour of a share in [0, 1]. */
function rampColour(share: number): readonly [number, number, number] {
  const position = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const low = RAMP[Math.floor(position)] ?? RAMP[0];
  const high = RAMP[Math.ceil(position)] ?? low;
  const mix = (channel: 0 | 1 | 2): number => low[channel] + (high[channel] - low[channel]) * (position % 1);
  return [mix(0), mix(1), mix(2)];
}

/** Spectrogram as a PNG file: time to the right, frequency upwards. */
export function spectrogramPng(waveform: Float32Array): Uint8Array {
  const { bins, columns, decibels } = spectrogram(waveform);
  const rgb = new Uint8Array(bins * columns * 3);
  for (const [index, level] of decibels.entries()) {
    const share = (level - SPECTROGRAM_BOTTOM_DB) / (SPECTROGRAM_TOP_DB - SPECTROGRAM_BOTTOM_DB);
    rgb.set(rampColour(share), index * 3);
  }
  return encodePng({ width: columns, height: bins, rgb });
}

/**
 * Frames side by side as a PNG file.
 * @param frames RGB in [0, 1], [frames, 3, height, width]
 */
export function framesPng(frames: Float32Array, dims: readonly number[]): Uint8Array {
  const [count = 0, , height = 0, width = 0] = dims;
  const plane = height * width;
  const rgb = new Uint8Array(count * plane * 3);
  for (let frame = 0; frame < count; frame += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      for (let row = 0; row < height; row += 1) {
        for (let column = 0; column < width; column += 1) {
          const value = frames[(frame * 3 + channel) * plane + row * width + column] ?? 0;
          rgb[((row * count + frame) * width + column) * 3 + channel] = Math.round(
            255 * Math.min(1, Math.max(0, value)),
          );
        }
      }
    }
  }
  return encodePng({ width: count * width, height, rgb });
}

/** A difference made visible or audible, and how much it was amplified for that. */
export interface AmplifiedDifference {
  readonly values: Float32Array;
  /** A power of two, at least 1. */
  readonly factor: number;
}

/**
 * (attacked - clean) times the largest power of two that keeps it within [-limit, limit].
 */
export function amplifiedDifference(clean: Float32Array, attacked: Float32Array, limit: number): AmplifiedDifference {
  const difference = attacked.map((value, index) => value - (clean[index] ?? 0));
  const largest = difference.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const factor = largest > 0 ? Math.max(1, 2 ** Math.floor(Math.log2(limit / largest))) : 1;
  return { values: difference.map((value) => value * factor), factor };
}
