/** Scores of one label over the clips, with the clips that truly have it. */
export interface LabelScores {
  readonly scores: ArrayLike<number>;
  readonly positives: readonly boolean[];
}

/** Clips that share one score: nothing ranks them among each other. */
interface TieGroup {
  readonly positives: number;
  readonly negatives: number;
}

function tieGroups(label: LabelScores): TieGroup[] {
  const { scores, positives } = label;
  if (scores.length !== positives.length) {
    throw new RangeError(`${scores.length} scores but ${positives.length} truths`);
  }
  const order = positives.map((_, index) => index);
  const scoreAt = (index: number): number => scores[index] ?? Number.NaN;
  const broken = order.find((index) => Number.isNaN(scoreAt(index)));
  if (broken !== undefined) throw new RangeError(`score ${broken} is not a number`);
  order.sort((a, b) => scoreAt(b) - scoreAt(a));
  const groups: { positives: number; negatives: number }[] = [];
  let previous: number | undefined;
  for (const index of order) {
    let group = groups.at(-1);
    if (group === undefined || scoreAt(index) !== previous) {
      group = { positives: 0, negatives: 0 };
      groups.push(group);
    }
    if (positives[index]) group.positives += 1;
    else group.negatives += 1;
    previous = scoreAt(index);
  }
  return groups;
}

/**
 * Average precision of one label: the sum over distinct scores, highest first, of precision x gain in recall.
 * Tied clips enter together, so their order never matters. Undefined (`undefined`) when no clip is positive.
 *
 * @throws RangeError when the lengths differ or a score is NaN.
 */
export function averagePrecision(label: LabelScores): number | undefined {
  const groups = tieGroups(label);
  const positives = groups.reduce((sum, group) => sum + group.positives, 0);
  if (positives === 0) return undefined;
  let found = 0;
  let seen = 0;
  let sum = 0;
  for (const group of groups) {
    found += group.positives;
    seen += group.positives + group.negatives;
    sum += (group.positives * found) / seen;
  }
  return sum / positives;
}

/**
 * Area under the ROC curve of one label: the share of (positive, negative) pairs in which the positive scores higher,
 * a tie counting half (Mann-Whitney U). Undefined (`undefined`) without a positive or without a negative.
 *
 * @throws RangeError when the lengths differ or a score is NaN.
 */
export function areaUnderCurve(label: LabelScores): number | undefined {
  const groups = tieGroups(label);
  const positives = groups.reduce((sum, group) => sum + group.positives, 0);
  const negatives = label.positives.length - positives;
  if (positives === 0 || negatives === 0) return undefined;
  let positivesAbove = 0;
  let wins = 0;
  for (const group of groups) {
    wins += group.negatives * (positivesAbove + group.positives / 2);
    positivesAbove += group.positives;
  }
  return wins / (positives * negatives);
}
