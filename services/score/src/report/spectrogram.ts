import { fourierTransform } from '@faultline/metrics';

/** A power spectrogram: `decibels` is [bins, columns], highest frequency first, so that it can be drawn row by row. */
export interface Spectrogram {
  readonly bins: number;
  readonly columns: number;
  readonly decibels: Float32Array;
}

const WINDOW = 512;
const HOP = 128;
/** Quietest power that is told apart from silence. */
const FLOOR = 1e-10;

/**
 * Power spectrogram in dB relative to full scale: Hann windows of 512 samples, every 128 samples.
 * @param waveform amplitude in [-1, 1], [samples]
 */
export function spectrogram(waveform: Float32Array): Spectrogram {
  const bins = WINDOW / 2;
  const columns = Math.max(1, Math.floor((waveform.length - WINDOW) / HOP) + 1);
  const decibels = new Float32Array(bins * columns);
  const hann = Float64Array.from({ length: WINDOW }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / WINDOW));
  // A full-scale sine has this power at its peak under a Hann window.
  const fullScale = (WINDOW / 4) ** 2;
  for (let column = 0; column < columns; column += 1) {
    const real = Float64Array.from(hann, (weight, n) => weight * (waveform[column * HOP + n] ?? 0));
    const imaginary = new Float64Array(WINDOW);
    fourierTransform(real, imaginary);
    for (let bin = 0; bin < bins; bin += 1) {
      const power = ((real[bin] ?? 0) ** 2 + (imaginary[bin] ?? 0) ** 2) / fullScale;
      decibels[(bins - 1 - bin) * columns + column] = 10 * Math.log10(Math.max(power, FLOOR));
    }
  }
  return { bins, columns, decibels };
}
