import { float32, type GraphBuilder, OnnxError } from '@faultline/onnx';
import type { FrontEndSpec, WaveformInput } from './specs.ts';

/** Corner of the frequency scale ln(1 + f / corner): like mel, but no band is narrower than a bin of the finest spectrum. */
const SCALE_CORNER_HZ = 1000;
/** Share of a window that its raised-cosine ends take (a Tukey window): where windows do not overlap, most of it stays flat. */
const TAPER_SHARE = 0.25;
/** A Hann window. */
const OVERLAPPING_TAPER_SHARE = 1;
/** Power below which a band counts as silent, full scale sine = 1 (-60 dB): bounds the logarithm and its gradient. */
const POWER_FLOOR = 1e-6;
/** Mean and standard deviation of log band power over the reference data set, in nepers of power; only a rough unit matters. */
const LOG_POWER_MEAN = -11;
const LOG_POWER_DEVIATION = 2.5;
/** Decibels of band power that a difference of 1 in the normalised log-mel stands for. */
export const LOG_MEL_UNIT_DECIBELS = (10 / Math.LN10) * LOG_POWER_DEVIATION;

/** Number of time steps of the log-mel. */
export function timeSteps(waveform: WaveformInput, frontEnd: FrontEndSpec): number {
  return waveform.samples / frontEnd.stepSamples;
}

/**
 * waveform `[batch, samples]` -> normalised log band power `[batch, 1, steps, bands]`, all as matrix products with fixed bases.
 * @throws OnnxError when a window does not divide a step, or a step the waveform.
 */
export function logMel(g: GraphBuilder, waveform: string, input: WaveformInput, spec: FrontEndSpec): string {
  const steps = timeSteps(input, spec);
  if (!Number.isInteger(steps)) {
    throw new OnnxError(`steps of ${spec.stepSamples} samples do not divide a waveform of ${input.samples}`);
  }
  let total: string | undefined;
  for (const { windowSamples, fromHz, toHz } of spec.resolutions) {
    const overlapping = windowSamples === 2 * spec.stepSamples;
    const windows = overlapping ? 1 : spec.stepSamples / windowSamples;
    if (!Number.isInteger(windows)) {
      throw new OnnxError(
        `windows of ${windowSamples} samples do not divide a step of ${spec.stepSamples}, and are not twice as long`,
      );
    }
    const binHz = input.sampleRateHz / windowSamples;
    const bins = frequencies(binHz, fromHz, toHz);
    const basis = g.constant(
      float32(
        fourierBasis(windowSamples, bins, input.sampleRateHz, overlapping ? OVERLAPPING_TAPER_SHARE : TAPER_SHARE),
        [windowSamples, 2 * bins.length],
      ),
    );
    const gather = g.constant(float32(bandMatrix(spec, bins, windows), [windows * 2 * bins.length, spec.bands]));
    const heard = overlapping ? doubleSteps(g, waveform, input, spec) : waveform;
    const spectrum = g.matmul(g.reshape(heard, [-1, windowSamples]), basis);
    const power = g.reshape(g.times(spectrum, spectrum), [-1, windows * 2 * bins.length]);
    const bands = g.matmul(power, gather);
    total = total === undefined ? bands : g.plus(total, bands);
  }
  if (total === undefined) throw new OnnxError('the front end has no resolution; give at least one');
  const logPower = g.op('Log', [g.plus(total, g.scalar(POWER_FLOOR))]);
  const centred = g.minus(logPower, g.scalar(LOG_POWER_MEAN));
  const normalised = g.times(centred, g.scalar(1 / LOG_POWER_DEVIATION));
  return g.op('Reshape', [normalised, g.ints([-1, 1, steps, spec.bands])], {}, 'audio.log-mel');
}

/** Each step with the one after it, silence after the last: `[batch, steps, 2 x step]`. */
function doubleSteps(g: GraphBuilder, waveform: string, input: WaveformInput, spec: FrontEndSpec): string {
  const steps = timeSteps(input, spec);
  const each = g.reshape(waveform, [-1, steps, spec.stepSamples]);
  const padded = g.op('Pad', [each, g.ints([0, 0, 0, 0, 1, 0])]);
  const later = g.op('Slice', [padded, g.ints([1]), g.ints([steps + 1]), g.ints([1])]);
  return g.concat([each, later], 2);
}

function frequencies(binHz: number, fromHz: number, toHz: number): number[] {
  const first = Math.ceil(fromHz / binHz);
  const last = Math.floor(toHz / binHz);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * binHz);
}

/** Tapered cosines, then sines: a sine of amplitude A at a bin has cosine^2 + sine^2 = A^2. `[window, 2 bins]`. */
function fourierBasis(
  windowSamples: number,
  bins: readonly number[],
  sampleRateHz: number,
  taperShare: number,
): Float32Array {
  const taper = tukeyWindow(windowSamples, taperShare);
  const norm = 2 / taper.reduce((sum, value) => sum + value, 0);
  const basis = new Float32Array(windowSamples * 2 * bins.length);
  for (const [sample, weight] of taper.entries()) {
    for (const [bin, hertz] of bins.entries()) {
      const angle = (2 * Math.PI * hertz * sample) / sampleRateHz;
      const at = sample * 2 * bins.length + bin;
      basis[at] = norm * weight * Math.cos(angle);
      basis[at + bins.length] = norm * weight * Math.sin(angle);
    }
  }
  return basis;
}

function tukeyWindow(samples: number, taperShare: number): number[] {
  const ramp = (taperShare / 2) * samples;
  return Array.from({ length: samples }, (_, sample) => {
    const fromEdge = Math.min(sample + 0.5, samples - sample - 0.5);
    return fromEdge >= ramp ? 1 : 0.5 - 0.5 * Math.cos((Math.PI * fromEdge) / ramp);
  });
}

/** Each bin's power is shared between the two nearest bands, averaged over the windows. `[windows x 2 bins, bands]`. */
function bandMatrix(spec: FrontEndSpec, bins: readonly number[], windows: number): Float32Array {
  const scale = (hertz: number) => Math.log1p(hertz / SCALE_CORNER_HZ);
  const low = scale(Math.min(...spec.resolutions.map(({ fromHz }) => fromHz)));
  const high = scale(Math.max(...spec.resolutions.map(({ toHz }) => toHz)));
  const matrix = new Float32Array(windows * 2 * bins.length * spec.bands);
  for (let row = 0; row < windows * 2 * bins.length; row++) {
    const hertz = bins[row % bins.length] ?? 0;
    const position = ((scale(hertz) - low) / (high - low)) * (spec.bands - 1);
    const band = Math.min(Math.max(Math.floor(position), 0), spec.bands - 2);
    const share = Math.min(Math.max(position - band, 0), 1);
    matrix[row * spec.bands + band] = (1 - share) / windows;
    matrix[row * spec.bands + band + 1] = share / windows;
  }
  return matrix;
}
