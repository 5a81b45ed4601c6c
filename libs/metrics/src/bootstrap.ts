import { seededRandom } from './random.ts';

/** A confidence interval. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** One value a clip; the figure is their mean. */
  readonly values: readonly number[];
  /** For each clip, the independence groups of its sources (recording, speaker, artist); none: independent of all others. */
  readonly groups: readonly (readonly string[])[];
  readonly seed: number;
  /** Number of resamples. */
  readonly replicates?: number;
  /** Confidence, for instance 0.95. */
  readonly level?: number;
}

const DEFAULT_REPLICATES = 1000;
const DEFAULT_LEVEL = 0.95;

/** Number of distinct groups, and for each clip the indices of its own. */
function numberGroups(groups: BootstrapOptions['groups']): { readonly count: number; readonly ofClip: number[][] } {
  const indices = new Map<string, number>();
  const indexOf = (name: string): number => {
    const index = indices.get(name) ?? indices.size;
    indices.set(name, index);
    return index;
  };
  const ofClip = groups.map((names, clip) =>
    names.length === 0 ? [indexOf(`\0clip ${clip}`)] : [...new Set(names)].map(indexOf),
  );
  return { count: indices.size, ofClip };
}

/** How often each of `count` groups comes up when `count` are drawn with replacement. */
function drawGroups(count: number, random: () => number): number[] {
  const drawn = new Array<number>(count).fill(0);
  for (let draw = 0; draw < count; draw += 1) {
    const group = Math.floor(random() * count);
    drawn[group] = (drawn[group] ?? 0) + 1;
  }
  return drawn;
}

/**
 * Weighted means of several lists of values (one a clip) over the same resamples of independence groups, [replicate][list].
 *
 * Clips belong to several groups (a sound's and a picture's), and these chain nearly all clips together, so that whole
 * clusters cannot be drawn. Instead groups are drawn, and a clip with groups G gets the weight
 * 1 + sum over g in G of (times drawn - 1) / sqrt(|G|), not below 0. Weights of two clips then correlate by the share of
 * groups that they have in common: clips of the same groups move as one, clips without a common one independently. With
 * one group a clip this is the cluster bootstrap (Davison & Hinkley 1997, section 3.8).
 */
function resampledMeans(
  lists: readonly (readonly number[])[],
  groups: BootstrapOptions['groups'],
  seed: number,
  replicates: number,
): number[][] {
  const { count, ofClip } = numberGroups(groups);
  if (count < 2) return [];
  const random = seededRandom(seed);
  const means: number[][] = [];
  for (let replicate = 0; replicate < replicates; replicate += 1) {
    const drawn = drawGroups(count, random);
    const weights = ofClip.map((members) => {
      const surplus = members.reduce((extra, group) => extra + (drawn[group] ?? 0) - 1, 0);
      return Math.max(0, 1 + surplus / Math.sqrt(members.length));
    });
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    if (total > 0) means.push(lists.map((values) => weightedSum(weights, values) / total));
  }
  return means;
}

/**
 * Percentile bootstrap interval of a mean that resamples independence groups, so that clips made from one source do not
 * pass for independent evidence. Deterministic for a seed. Null with fewer than two groups, which cannot give one.
 */
export function bootstrapInterval(options: BootstrapOptions): Interval | null {
  const { values, groups, seed, replicates = DEFAULT_REPLICATES, level = DEFAULT_LEVEL } = options;
  if (values.length !== groups.length)
    throw new RangeError(`${values.length} values but groups of ${groups.length} clips`);
  const means = resampledMeans([values], groups, seed, replicates).flat();
  return means.length === 0 ? null : percentileInterval(means, level);
}

/** A mean difference, with what speaks against it being chance. */
export interface MeanDifference {
  readonly mean: number;
  readonly interval: Interval;
  /** Two-sided bootstrap p-value of the mean being 0, not corrected for other comparisons. At least 2 / (replicates + 1). */
  readonly pValue: number;
}

export interface DifferenceOptions extends Omit<BootstrapOptions, 'values'> {
  /** One list of paired differences a comparison, each with one value a clip. */
  readonly differences: readonly (readonly number[])[];
}

/** So that a p-value can be small enough to stay below 0.05 after it was corrected for some hundred comparisons. */
const DIFFERENCE_REPLICATES = 9999;

/**
 * Means of paired differences over clips, one a comparison, by the same resamples of independence groups as `bootstrapInterval`.
 * The p-value is 2 (1 + k) / (replicates + 1), at most 1, with k the number of resampled means at or beyond 0, on the rarer
 * side (Davison & Hinkley 1997, section 4.4, by inversion of the interval). Null with fewer than two groups.
 * @throws RangeError when a list has not one value a clip.
 */
export function meanDifferences(options: DifferenceOptions): readonly MeanDifference[] | null {
  const { differences, groups, seed, replicates = DIFFERENCE_REPLICATES, level = DEFAULT_LEVEL } = options;
  const wrong = differences.find((values) => values.length !== groups.length);
  if (wrong !== undefined) throw new RangeError(`${wrong.length} values but groups of ${groups.length} clips`);
  const resampled = resampledMeans(differences, groups, seed, replicates);
  if (resampled.length === 0) return null;
  return differences.map((values, index) => {
    const means = resampled.map((row) => row[index] ?? Number.NaN);
    const below = means.filter((mean) => mean <= 0).length;
    const above = means.filter((mean) => mean >= 0).length;
    return {
      mean: values.reduce((sum, value) => sum + value, 0) / values.length,
      interval: percentileInterval(means, level),
      pValue: Math.min(1, (2 * (1 + Math.min(below, above))) / (resampled.length + 1)),
    };
  });
}

function weightedSum(weights: readonly number[], values: readonly number[]): number {
  let sum = 0;
  for (let clip = 0; clip < weights.length; clip += 1) sum += (weights[clip] ?? 0) * (values[clip] ?? 0);
  return sum;
}

/** Sorts `means` in place. */
function percentileInterval(means: number[], level: number): Interval {
  means.sort((a, b) => a - b);
  const tail = (1 - level) / 2;
  return { low: quantile(means, tail), high: quantile(means, 1 - tail) };
}

/** Quantile of a sorted list, interpolated between its neighbours. */
function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}
