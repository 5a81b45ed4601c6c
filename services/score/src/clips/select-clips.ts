import type { Clip } from './manifest.ts';

/** Clips of one stratum and first label. */
function bucketOf(clip: Clip): string {
  return `${clip.stratum}/${clip.labels[0] ?? ''}`;
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * A fixed stratified choice of at most `limit` clips (0: all), in their given order.
 *
 * Buckets (stratum, first label) take turns, so that each gives about the same number; within a bucket the clips with the
 * smallest digests go first, which is arbitrary but the same everywhere, and nested: the choice of n is part of that of n+1.
 */
export function selectClips(clips: readonly Clip[], limit: number): readonly Clip[] {
  if (limit === 0 || limit >= clips.length) return clips;
  const buckets = Map.groupBy(clips, bucketOf)
    .entries()
    .toArray()
    .sort(([a], [b]) => byText(a, b))
    .map(([, members]) => members.toSorted((a, b) => byText(a.sha256, b.sha256)));
  const chosen = new Set<Clip>();
  for (let turn = 0; chosen.size < limit; turn += 1) {
    for (const bucket of buckets) {
      const clip = bucket[turn];
      if (clip !== undefined && chosen.size < limit) chosen.add(clip);
    }
  }
  return clips.filter((clip) => chosen.has(clip));
}
