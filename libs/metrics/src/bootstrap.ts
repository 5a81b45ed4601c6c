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
 * Percentile bootstrap interval of a mean that resamples independence groups, so that clips made from one source do not
 * pass for independent evidence. Deterministic for a seed. Null with fewer than two groups, which cannot give one.
 *
 * Clips belong to several groups (a sound's and a picture's), and these chain nearly all clips together, so that whole
 * clusters cannot be drawn. Instead groups are drawn, and a clip with groups G gets the weight
 * 1 + sum over g in G of (times drawn - 1) / sqrt(|G|), not below 0. Weights of two clips then correlate by the share of
 * groups that they have in common: clips of the same groups move as one, clips without a common one independently. With
 * one group a clip this is the cluster bootstrap (Davison & Hinkley 1997, section 3.8).
 */
export function bootstrapInterval(options: BootstrapOptions): Interval | null {
  const { values, groups, seed, replicates = DEFAULT_REPLICATES, level = DEFAULT_LEVEL } = options;
  if (values.length !== groups.length)
    throw new RangeError(`${values.length} values but groups of ${groups.length} clips`);
  const { count, ofClip } = numberGroups(groups);
  if (count < 2) return null;
  const random = seededRandom(seed);
  const means: number[] = [];
  for (let replicate = 0; replicate < replicates; replicate += 1) {
    const drawn = drawGroups(count, random);
    let sum = 0;
    let total = 0;
    for (const [clip, members] of ofClip.entries()) {
      const surplus = members.reduce((extra, group) => extra + (drawn[group] ?? 0) - 1, 0);
      const weight = Math.max(0, 1 + surplus / Math.sqrt(members.length));
      sum += weight * (values[clip] ?? 0);
      total += weight;
    }
    if (total > 0) means.push(sum / total);
  }
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
