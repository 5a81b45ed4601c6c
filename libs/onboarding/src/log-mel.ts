import { float32, type GraphBuilder, ints, string } from '@faultline/onnx';
import { OnboardingError } from './onboarding-error.ts';

export const WINDOW_SHAPES = ['hann', 'hann-symmetric', 'hamming', 'povey', 'rectangular'] as const;
export type WindowShape = (typeof WINDOW_SHAPES)[number];

/** How a waveform becomes a log-mel spectrogram. */
export interface LogMelParameters {
  readonly sampleRateHz: number;
  /** Length of the Fourier transform, in samples. */
  readonly fft: number;
  /** Length of the window, in samples, at most `fft`. */
  readonly window: number;
  readonly windowShape: WindowShape;
  /** Samples between two time steps. */
  readonly hop: number;
  /**
   * 'reflect': steps are centred on multiples of the hop, the sound mirrored at its ends (librosa, torchaudio, PANNs). 'none': the first
   * window begins at the first sample (TensorFlow, Kaldi).
   */
  readonly padding: 'reflect' | 'none';
  /** 2: power spectrum, 1: magnitudes. */
  readonly power: 1 | 2;
  readonly bands: number;
  readonly lowHz: number;
  readonly highHz: number;
  /** Frequency scale: HTK's 2595 log10(1 + f / 700), or Slaney's, linear below 1 kHz. */
  readonly scale: 'htk' | 'slaney';
  /** In which unit the bands' triangles have straight sides: Kaldi's and TensorFlow's have them on the mel scale. */
  readonly triangles: 'hz' | 'mel';
  /** 'slaney': each band's area is one. */
  readonly bandNorm: 'none' | 'slaney';
  readonly logarithm: 'ln' | 'log10' | 'db' | 'none';
  /** Smallest band value before the logarithm. */
  readonly floor: number;
  /** Whether the floor is added to every value or replaces smaller ones. */
  readonly floorMode: 'add' | 'clamp';
  /** Coefficient c of y[t] = x[t] - c x[t - 1] within each window (Kaldi); 0: none. */
  readonly preemphasis: number;
  /** 'window': each window's mean is taken away first (Kaldi). */
  readonly removeMean: 'window' | 'none';
  /** Normalisation of the result: (value - mean) / std. */
  readonly mean: number;
  readonly std: number;
}

/** Decibels of band power that a difference of 1 in the result stands for; undefined where it holds no logarithms. */
export function unitDecibels({ logarithm, power, std }: LogMelParameters): number | undefined {
  if (logarithm === 'none') return undefined;
  const decibels = { ln: 10 / Math.LN10, log10: 10, db: 1 }[logarithm];
  return std * decibels * (2 / power);
}

const MEL_BREAK_HZ = 1000;
const SLANEY_HZ_PER_MEL = 200 / 3;
/** Slaney's scale: 27 steps to a factor of 6.4 above 1 kHz. */
const SLANEY_LOG_STEP = Math.log(6.4) / 27;

function hzToMel(hz: number, scale: LogMelParameters['scale']): number {
  if (scale === 'htk') return 2595 * Math.log10(1 + hz / 700);
  if (hz < MEL_BREAK_HZ) return hz / SLANEY_HZ_PER_MEL;
  return MEL_BREAK_HZ / SLANEY_HZ_PER_MEL + Math.log(hz / MEL_BREAK_HZ) / SLANEY_LOG_STEP;
}

function melToHz(mel: number, scale: LogMelParameters['scale']): number {
  if (scale === 'htk') return 700 * (10 ** (mel / 2595) - 1);
  const atBreak = MEL_BREAK_HZ / SLANEY_HZ_PER_MEL;
  return mel < atBreak ? mel * SLANEY_HZ_PER_MEL : MEL_BREAK_HZ * Math.exp((mel - atBreak) * SLANEY_LOG_STEP);
}

/** The window's values. */
export function windowValues(shape: WindowShape, length: number): Float64Array {
  const cosine = (period: number, i: number) => Math.cos((2 * Math.PI * i) / period);
  const value: Readonly<Record<WindowShape, (i: number) => number>> = {
    hann: (i) => 0.5 - 0.5 * cosine(length, i),
    'hann-symmetric': (i) => 0.5 - 0.5 * cosine(length - 1, i),
    hamming: (i) => 0.54 - 0.46 * cosine(length - 1, i),
    // Kaldi's own: a Hann window to the power 0.85.
    povey: (i) => (0.5 - 0.5 * cosine(length - 1, i)) ** 0.85,
    rectangular: () => 1,
  };
  return Float64Array.from({ length }, (_, i) => value[shape](i));
}

/** Weights of each frequency bin in each band, [bins, bands]. */
export function bandWeights(p: LogMelParameters): Float32Array {
  const bins = p.fft / 2 + 1;
  const [low, high] = [hzToMel(p.lowHz, p.scale), hzToMel(p.highHz, p.scale)];
  const edges = Array.from({ length: p.bands + 2 }, (_, i) => low + ((high - low) * i) / (p.bands + 1));
  const place = (mel: number) => (p.triangles === 'mel' ? mel : melToHz(mel, p.scale));
  const weights = new Float32Array(bins * p.bands);
  for (let bin = 0; bin < bins; bin++) {
    const hz = (bin * p.sampleRateHz) / p.fft;
    const at = p.triangles === 'mel' ? hzToMel(hz, p.scale) : hz;
    for (let band = 0; band < p.bands; band++) {
      const [left = 0, centre = 0, right = 0] = edges.slice(band, band + 3);
      const rising = (at - place(left)) / (place(centre) - place(left));
      const falling = (place(right) - at) / (place(right) - place(centre));
      const area = p.bandNorm === 'slaney' ? 2 / (melToHz(right, p.scale) - melToHz(left, p.scale)) : 1;
      weights[bin * p.bands + band] = Math.max(0, Math.min(rising, falling)) * area;
    }
  }
  return weights;
}

/** The Fourier transform of one window as a matrix, [2 bins, 1, length]: all that comes before it is linear too, so it is folded in. */
function analysisKernels(p: LogMelParameters): { readonly kernels: Float32Array; readonly length: number } {
  const bins = p.fft / 2 + 1;
  const length = p.padding === 'reflect' ? p.fft : p.window;
  // librosa and torch put a shorter window into the middle of the transform, the others at its beginning.
  const offset = p.padding === 'reflect' ? Math.floor((p.fft - p.window) / 2) : 0;
  const shape = windowValues(p.windowShape, p.window);
  const kernels = new Float32Array(2 * bins * length);
  for (let output = 0; output < 2 * bins; output++) {
    const bin = output % bins;
    const row = shape.map((weight, i) => {
      const angle = (2 * Math.PI * bin * (i + offset)) / p.fft;
      return weight * (output < bins ? Math.cos(angle) : -Math.sin(angle));
    });
    if (p.preemphasis !== 0) transposePreemphasis(row, p.preemphasis);
    if (p.removeMean === 'window') {
      const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
      for (let i = 0; i < row.length; i++) row[i] = (row[i] ?? 0) - mean;
    }
    kernels.set(row, output * length + offset);
  }
  return { kernels, length };
}

/** The transpose of preemphasis; a window's first sample is its own predecessor, as in Kaldi: y[0] = x[0] - c x[0]. */
function transposePreemphasis(row: Float64Array, coefficient: number): void {
  for (let i = 0; i < row.length; i++) {
    const next = i + 1 < row.length ? coefficient * (row[i + 1] ?? 0) : 0;
    const own = i === 0 ? coefficient * (row[0] ?? 0) : 0;
    row[i] = (row[i] ?? 0) - next - own;
  }
}

/** Time steps that a sound gives. */
export function timeSteps(p: Pick<LogMelParameters, 'padding' | 'hop' | 'window'>, samples: number): number {
  if (p.padding === 'reflect') return 1 + Math.floor(samples / p.hop);
  return Math.max(0, 1 + Math.floor((samples - p.window) / p.hop));
}

/** Fewest samples that give so many time steps. */
export function samplesFor(p: Pick<LogMelParameters, 'padding' | 'hop' | 'window' | 'fft'>, steps: number): number {
  if (p.padding === 'none') return (steps - 1) * p.hop + p.window;
  // To be mirrored, a sound must be longer than half a transform.
  return Math.max((steps - 1) * p.hop, p.fft / 2 + 1);
}

/** Throws OnboardingError unless the parameters make sense together. */
export function checkLogMel(p: LogMelParameters): void {
  const fail = (problem: string) => new OnboardingError(`log-mel: ${problem}`);
  if (p.fft % 2 !== 0) throw fail(`fft is ${p.fft}; give an even length`);
  if (p.window > p.fft) throw fail(`window is ${p.window}, longer than fft, ${p.fft}`);
  if (!(p.lowHz >= 0 && p.lowHz < p.highHz && p.highHz <= p.sampleRateHz / 2)) {
    const most = p.sampleRateHz / 2;
    throw fail(`bands from ${p.lowHz} to ${p.highHz} Hz do not lie between 0 and half the sample rate, ${most}`);
  }
  if (p.std === 0) throw fail('std is 0');
  if (p.logarithm !== 'none' && !(p.floor > 0)) throw fail(`floor is ${p.floor}; a logarithm needs one above 0`);
}

/** Keeps the square root's slope finite where a bin is silent. */
const MAGNITUDE_FLOOR = 1e-12;

/**
 * waveform [batch, samples] -> normalised log-mel [batch, steps, bands]; exactly `steps` time steps, further ones are cut off.
 * @throws OnboardingError when the sound is too short for that.
 */
export function logMelSteps(
  b: GraphBuilder,
  waveform: string,
  samples: number,
  steps: number,
  p: LogMelParameters,
): string {
  checkLogMel(p);
  const available = timeSteps(p, samples);
  if (available < steps) {
    const remedy = `give samples=${samplesFor(p, steps)}`;
    throw new OnboardingError(
      `log-mel: ${samples} samples give ${available} time steps, and the model takes ${steps}; ${remedy}`,
    );
  }
  const bins = p.fft / 2 + 1;
  const { kernels, length } = analysisKernels(p);
  let sound = b.reshape(waveform, [-1, 1, samples]);
  if (p.padding === 'reflect')
    sound = b.op('Pad', [sound, b.ints([0, 0, p.fft / 2, 0, 0, p.fft / 2])], { mode: string('reflect') });
  const spectrum = b.op('Conv', [sound, b.constant(float32(kernels, [2 * bins, 1, length]))], {
    strides: ints([p.hop]),
    kernel_shape: ints([length]),
  });
  const squares = b.times(spectrum, spectrum);
  const part = (which: number) => b.slice(squares, [which * bins, 0], [(which + 1) * bins, steps], [1, 2]);
  const power = b.plus(part(0), part(1));
  const level = p.power === 2 ? power : b.op('Sqrt', [b.plus(power, b.scalar(MAGNITUDE_FLOOR))]);
  const mel = b.matmul(b.transpose(level, [0, 2, 1]), b.constant(float32(bandWeights(p), [bins, p.bands])));
  const scaled = logarithm(b, mel, p);
  if (p.mean === 0 && p.std === 1) return scaled;
  return b.times(b.minus(scaled, b.scalar(p.mean)), b.scalar(1 / p.std));
}

function logarithm(b: GraphBuilder, mel: string, p: LogMelParameters): string {
  if (p.logarithm === 'none') return mel;
  const floored = p.floorMode === 'add' ? b.plus(mel, b.scalar(p.floor)) : b.op('Max', [mel, b.scalar(p.floor)]);
  const natural = b.op('Log', [floored]);
  if (p.logarithm === 'ln') return natural;
  return b.times(natural, b.scalar((p.logarithm === 'db' ? 10 : 1) / Math.LN10));
}
