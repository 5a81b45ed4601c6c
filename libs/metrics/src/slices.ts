import { rankingFigures, type ScoredSet } from './macro.ts';
import { averagePrecision } from './ranking.ts';

/** How well one label is ranked. */
export interface LabelPrecision {
  readonly positives: number;
  /** Null where no clip has the label. */
  readonly averagePrecision: number | null;
}

/** The average precision of every label, in their order. */
export function labelPrecisions({ labels, scores, targets }: ScoredSet): readonly LabelPrecision[] {
  const clips = scores.length / labels;
  return Array.from({ length: labels }, (_, label) => {
    const column = (values: ArrayLike<number>) =>
      Array.from({ length: clips }, (_clip, clip) => values[clip * labels + label] ?? Number.NaN);
    const positives = column(targets).map((target) => target > 0.5);
    return {
      positives: positives.filter(Boolean).length,
      averagePrecision: averagePrecision({ scores: column(scores), positives }) ?? null,
    };
  });
}

/** How well the clips of one kind are ranked. */
export interface SlicePrecision {
  readonly name: string;
  readonly clips: number;
  /** Over the labels that these clips have. */
  readonly meanAveragePrecision: number;
}

/**
 * The macro mAP of clips of one kind each, by kind in alphabetical order.
 * @param kinds of each clip; a clip of several kinds, or of none, counts for none.
 * @throws RangeError when there is not one entry a clip.
 */
export function slicePrecisions(set: ScoredSet, kinds: readonly (readonly string[])[]): readonly SlicePrecision[] {
  const { labels, scores, targets } = set;
  if (kinds.length * labels !== scores.length) {
    throw new RangeError(`kinds of ${kinds.length} clips, but scores of ${scores.length / labels}`);
  }
  const slices = Map.groupBy(kinds.keys(), (clip) => (kinds[clip]?.length === 1 ? kinds[clip][0] : undefined));
  return [...slices]
    .flatMap(([name, clips]): SlicePrecision[] => {
      if (name === undefined) return [];
      const rows = (values: ArrayLike<number>) =>
        clips.flatMap((clip) =>
          Array.from({ length: labels }, (_, label) => values[clip * labels + label] ?? Number.NaN),
        );
      const { meanAveragePrecision } = rankingFigures({ labels, scores: rows(scores), targets: rows(targets) });
      return meanAveragePrecision === null ? [] : [{ name, clips: clips.length, meanAveragePrecision }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
