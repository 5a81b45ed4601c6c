import { fourierTransform } from './fourier.ts';
import { binFrequencyHz, lappedPositions } from './lapped-cosine.ts';

/** Level that the loudest bin of a clip is taken to have, dB SPL: a listener sets the volume. Ibid. (Qin et al.), section 3.2. */
const LOUDEST_DB = 96;

/** Below this power of a bin (relative to full scale) a clip is silent, and nobody turns it up further. */
const LEAST_POWER = 1e-8;

/** Frequency on the Bark scale. */
export const bark = (hz: number) => 13 * Math.atan(0.00076 * hz) + 3.5 * Math.atan((hz / 7500) ** 2);

/** Lowest frequency that the formula of the threshold in quiet is asked for. */
const LOWEST_HZ = 20;

/** Threshold in quiet, dB SPL, with the 12 dB below it that the model allows high bit rates; at most the loudest level. */
export function quietThresholdDb(hz: number): number {
  const khz = Math.max(hz, LOWEST_HZ) / 1000;
  const level = 3.64 * khz ** -0.8 - 6.5 * Math.exp(-0.6 * (khz - 3.3) ** 2) + 0.001 * khz ** 4;
  return Math.min(LOUDEST_DB, level - 12);
}

interface Masker {
  readonly bark: number;
  readonly level: number;
}

/** Two maskers closer than this are one, the louder. */
const CRITICAL_DISTANCE = 0.5;

const decibels = (power: number) => 10 * Math.log10(power);
const powerOf = (level: number) => 10 ** (level / 10);

/** Local maxima of a spectrum of powers [bins] in the order of frequency, with what stands beside them; those that cannot be heard or have a louder neighbour are left out. */
function maskersOf(powers: Float64Array, spacingHz: number): Masker[] {
  const kept: Masker[] = [];
  for (let bin = 1; bin < powers.length - 1; bin += 1) {
    const [before = 0, power = 0, after = 0] = powers.subarray(bin - 1, bin + 2);
    if (!(power > before && power > after)) continue;
    const masker = { bark: bark(bin * spacingHz), level: decibels(before + power + after) };
    if (masker.level < quietThresholdDb(bin * spacingHz)) continue;
    const last = kept.at(-1);
    if (last === undefined || masker.bark - last.bark >= CRITICAL_DISTANCE) kept.push(masker);
    else if (masker.level > last.level) kept[kept.length - 1] = masker;
  }
  return kept;
}

/** What a tonal masker hides at `distance` Bark above it, dB SPL. */
function maskedLevel({ bark: place, level }: Masker, distance: number): number {
  const offset = -6.025 - 0.275 * place;
  const slope = distance > 0 ? -27 + 0.37 * Math.max(level - 40, 0) : 27;
  return level + offset + slope * distance;
}

/**
 * The masking threshold of a clip, as the size of each coefficient of `lappedCoefficients` below which it is not heard beside the clip, [positions][hop]: a coefficient at
 * its threshold has the energy of a sine at the threshold. Above 0 everywhere.
 * Source: psychoacoustic model 1 of MPEG-1 (ISO/IEC 11172-3, annex D) as Qin et al. 2019, "Imperceptible, robust, and targeted adversarial examples for automatic speech
 * recognition", arXiv 1903.10346, section 3.2 and appendix, simplify it: all maskers are tonal, their thresholds and that in quiet add up. Differences: a frame is
 * the support of an atom (two hops, 32 ms) and not 2,048 samples; a group of close maskers is thinned in one pass.
 */
export function maskingThresholds(clip: Float32Array, sampleRateHz: number, hop: number): Float64Array {
  const window = 2 * hop;
  const positions = lappedPositions(clip.length, hop);
  const hann = Float64Array.from({ length: window }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / window));
  const spectra = Array.from({ length: positions }, (_, position) => {
    const real = hann.map((weight, n) => weight * (clip[(position - 1) * hop + n] ?? 0));
    const imaginary = new Float64Array(window);
    fourierTransform(real, imaginary);
    // A sine of amplitude a at the centre of a bin has a^2 / 6 there.
    return Float64Array.from(
      { length: hop + 1 },
      (_, bin) => ((8 / 3) * ((real[bin] ?? 0) ** 2 + (imaginary[bin] ?? 0) ** 2)) / window ** 2,
    );
  });
  const loudest = spectra.reduce((most, powers) => powers.reduce((a, b) => Math.max(a, b), most), LEAST_POWER);
  const unit = powerOf(LOUDEST_DB) / loudest;
  const places = Array.from({ length: hop }, (_, bin) => {
    const hz = binFrequencyHz(bin, hop, sampleRateHz);
    return { bark: bark(hz), quiet: powerOf(quietThresholdDb(hz)) };
  });
  const thresholds = new Float64Array(positions * hop);
  for (const [position, powers] of spectra.entries()) {
    const maskers = maskersOf(
      powers.map((power) => power * unit),
      sampleRateHz / window,
    );
    for (const [bin, place] of places.entries()) {
      const masked = maskers.reduce((sum, one) => sum + powerOf(maskedLevel(one, place.bark - one.bark)), place.quiet);
      // Energy a^2 M / 2 of a sine in each hop, in one coefficient.
      thresholds[position * hop + bin] = Math.sqrt(((6 * masked) / unit) * (hop / 2));
    }
  }
  return thresholds;
}
