import { binFrequencyHz, hopOf, lappedCoefficients, lappedPositions } from './lapped-cosine.ts';
import { kWeightingGain } from './loudness.ts';
import { maskingThresholds } from './masking.ts';
import { type PerturbationNorms, perturbationNorms } from './perturbation.ts';

/** Weights of the coefficients of a waveform's perturbation in the lapped cosine basis: by how loud they are, or by what the clip masks. */
export interface Weighting {
  readonly kind: 'loudness' | 'masking';
  readonly sampleRateHz: number;
}

/** How the size of a variable's perturbation is measured. */
export interface BudgetMeasure {
  readonly norm: keyof PerturbationNorms;
  /** Coordinates of a frame, where the size is that of the largest frame; the last one may be shorter. Default: all coordinates together. */
  readonly frameSize?: number | undefined;
  /** Of waveforms, without frames: the norm is that of weighted coefficients. Default: that of the samples. */
  readonly weighting?: Weighting | undefined;
}

/**
 * The size of a clean value that relative budgets are shares of: its L2 or L1 norm, in float64. For L-inf its root mean square: the cube of that share is the largest one
 * inside the L2 ball of the same share, so that both bound the ratio of noise to signal, and no single outlier decides.
 * @throws RangeError for L0, which counts coordinates.
 */
export function referenceSize(clean: Float32Array, norm: BudgetMeasure['norm']): number {
  const { l2, l1 } = perturbationNorms(clean, new Float32Array(clean.length));
  switch (norm) {
    case 'linf':
      return l2 / Math.sqrt(Math.max(1, clean.length));
    case 'l2':
      return l2;
    case 'l1':
      return l1;
    case 'l0':
      throw new RangeError('L0 counts coordinates: a budget in it is no share of a clean value');
  }
}

/** The weight of each coefficient of `lappedCoefficients` beside this clip, [positions][hop]. */
export function coefficientWeights({ kind, sampleRateHz }: Weighting, clip: Float32Array): Float64Array {
  const hop = hopOf(sampleRateHz);
  if (kind === 'masking') return maskingThresholds(clip, sampleRateHz, hop).map((threshold) => 1 / threshold);
  const gains = Float64Array.from({ length: hop }, (_, bin) =>
    kWeightingGain(binFrequencyHz(bin, hop, sampleRateHz), sampleRateHz),
  );
  const weights = new Float64Array(lappedPositions(clip.length, hop) * hop);
  for (let first = 0; first < weights.length; first += hop) weights.set(gains, first);
  return weights;
}

/** (point - clean) in weighted coefficients, float64. */
function weightedDifference(point: Float32Array, clean: Float32Array, weighting: Weighting): Float64Array {
  const difference = Float64Array.from(point, (value, index) => value - (clean[index] ?? Number.NaN));
  const weights = coefficientWeights(weighting, clean);
  return lappedCoefficients(difference, hopOf(weighting.sampleRateHz)).map((one, index) => one * (weights[index] ?? 0));
}

/**
 * Size of (point - clean) as a budget measures it, in float64. Not a number when an element is not.
 * @throws RangeError when the lengths differ.
 */
export function perturbationSize(point: Float32Array, clean: Float32Array, measure: BudgetMeasure): number {
  const { norm, frameSize = Math.max(1, point.length), weighting } = measure;
  if (point.length !== clean.length) {
    throw new RangeError(`point has ${point.length} elements but its clean point ${clean.length}`);
  }
  if (weighting !== undefined) {
    const weighted = weightedDifference(point, clean, weighting);
    return perturbationNorms(weighted, new Float64Array(weighted.length))[norm];
  }
  let largest = 0;
  for (let first = 0; first < point.length; first += frameSize) {
    const end = first + frameSize;
    largest = Math.max(largest, perturbationNorms(point.subarray(first, end), clean.subarray(first, end))[norm]);
  }
  return largest;
}
