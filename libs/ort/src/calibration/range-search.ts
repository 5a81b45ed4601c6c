import { HIGHEST_LEVEL, type LevelRange } from '@faultline/onnx';

/** Shares of the whole range that are tried, from all of it down. */
const SHARES = Array.from({ length: 60 }, (_, index) => 1 - index / 64);

/** How often values fell into each of equal bins from `low` to `high`. */
export interface Histogram extends LevelRange {
  readonly counts: Float64Array;
}

/** Counts values into a histogram; those outside fall into the bins at its ends. */
export function count({ low, high, counts }: Histogram, values: Float32Array): void {
  const perBin = counts.length / (high - low || 1);
  for (const value of values) {
    const bin = Math.min(counts.length - 1, Math.max(0, Math.floor((value - low) * perBin)));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
}

/**
 * The range of byte levels with the least expected squared error: fewer numbers are cut off by a wide one, all others rounded less
 * by a narrow one. Both ends move in together; an end at 0 stays. Source of the idea: Banner et al. 2019, arXiv 1810.05723.
 */
export function bestRange(histogram: Histogram): LevelRange {
  const ranges = SHARES.map((share) => ({
    low: share * Math.min(0, histogram.low),
    high: share * Math.max(0, histogram.high),
  }));
  const errors = ranges.map((range) => expectedError(histogram, range));
  return ranges[errors.indexOf(Math.min(...errors))] ?? histogram;
}

/** Summed squared error: (step^2) / 12 for what is rounded, the squared distance for what is cut off. */
function expectedError({ low, high, counts }: Histogram, range: LevelRange): number {
  const width = (high - low) / counts.length;
  const rounding = ((range.high - range.low) / HIGHEST_LEVEL) ** 2 / 12;
  return counts.reduce((sum, times, bin) => {
    const value = low + (bin + 0.5) * width;
    const beyond = Math.max(range.low - value, value - range.high, 0);
    return sum + times * (rounding + beyond ** 2);
  }, 0);
}
