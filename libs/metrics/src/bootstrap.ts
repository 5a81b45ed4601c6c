import { seededRandom } from './random.ts';

/** A confidence interval; null where the data cannot give one (fewer than two independent clusters). */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface BootstrapOptions {
  /** Cluster of each clip, from {@link independentClusters}. */
  readonly clusters: readonly number[];
  /** The figure of these clips (indices, with repeats); undefined where it does not exist. */
  readonly statistic: (clips: readonly number[]) => number | undefined;
  readonly seed: number;
  /** Number of resamples. */
  readonly replicates?: number;
  /** Confidence, for instance 0.95. */
  readonly level?: number;
}

const DEFAULT_REPLICATES = 1000;
const DEFAULT_LEVEL = 0.95;
/** With less than this share of defined replicates the interval would describe something else. */
const LEAST_DEFINED_SHARE = 0.5;

/**
 * Clusters of clips that share no independence group with each other: the connected components of "has a group in
 * common". Numbered from 0 in the order of their first clip. A clip without groups is a cluster of its own.
 */
export function independentClusters(groups: readonly (readonly string[])[]): number[] {
  const parents = groups.map((_, clip) => clip);
  const root = (clip: number): number => {
    let current = clip;
    for (let up = parents[current]; up !== undefined && up !== current; up = parents[current]) current = up;
    return current;
  };
  const ownerOf = new Map<string, number>();
  for (const [clip, names] of groups.entries()) {
    for (const name of names) {
      const owner = ownerOf.get(name);
      if (owner === undefined) ownerOf.set(name, clip);
      else {
        const [a, b] = [root(owner), root(clip)];
        parents[Math.max(a, b)] = Math.min(a, b);
      }
    }
  }
  const numberOf = new Map<number, number>();
  return groups.map((_, clip) => {
    const top = root(clip);
    const known = numberOf.get(top) ?? numberOf.size;
    numberOf.set(top, known);
    return known;
  });
}

/**
 * Percentile bootstrap interval that resamples whole clusters with replacement (Davison & Hinkley 1997, section 3.8), so
 * that clips made from one source do not pass for independent evidence. Deterministic for a seed.
 */
export function bootstrapInterval(options: BootstrapOptions): Interval | null {
  const { clusters, statistic, seed, replicates = DEFAULT_REPLICATES, level = DEFAULT_LEVEL } = options;
  const members = Map.groupBy(clusters.keys(), (clip) => clusters[clip] ?? -1)
    .values()
    .toArray();
  if (members.length < 2) return null;
  const random = seededRandom(seed);
  const figures: number[] = [];
  for (let replicate = 0; replicate < replicates; replicate += 1) {
    const clips = members.flatMap(() => members[Math.floor(random() * members.length)] ?? []);
    const figure = statistic(clips);
    if (figure !== undefined && Number.isFinite(figure)) figures.push(figure);
  }
  if (figures.length < LEAST_DEFINED_SHARE * replicates) return null;
  figures.sort((a, b) => a - b);
  const quantile = (share: number): number => {
    const position = share * (figures.length - 1);
    const below = figures[Math.floor(position)] ?? Number.NaN;
    const above = figures[Math.ceil(position)] ?? Number.NaN;
    return below + (above - below) * (position - Math.floor(position));
  };
  const tail = (1 - level) / 2;
  return { low: quantile(tail), high: quantile(1 - tail) };
}
