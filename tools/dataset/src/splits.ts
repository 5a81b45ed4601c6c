import { LABELS } from './labels.ts';
import type { SourceEntry } from './manifest.ts';
import { Random } from './random.ts';

export type Split = 'train' | 'validation' | 'test';
export const SPLITS: readonly Split[] = ['train', 'validation', 'test'];

/** `unseen`: sources of the test split; `seen`: sources that victims were trained on, in new renditions. */
export type Stratum = 'unseen' | 'seen';
export const STRATA: readonly Stratum[] = ['unseen', 'seen'];

/** Share of each class's training groups that becomes validation. */
const VALIDATION_SHARE = 0.15;
/** A group with more than this share of its class's training files stays in training, or the class would starve. */
const LARGEST_VALIDATION_GROUP = 0.35;
const VALIDATION_KEY = 'validation-groups-1';

/** The split of every entry, by its id: the pack's test side as it is, its training side parted by group. */
export function assignSplits(entries: readonly SourceEntry[]): Map<string, Split> {
  const validation = validationGroups(entries);
  const splits = new Map<string, Split>();
  for (const entry of entries) {
    if (entry.split === 'test') splits.set(entry.id, 'test');
    else splits.set(entry.id, validation.has(entry.group) ? 'validation' : 'train');
  }
  checkGroups(entries, splits);
  return splits;
}

/** @throws Error when an independence group occurs in two splits. */
export function checkGroups(
  entries: readonly Pick<SourceEntry, 'id' | 'group'>[],
  splits: ReadonlyMap<string, Split>,
): void {
  const seen = new Map<string, Split>();
  for (const entry of entries) {
    const split = splits.get(entry.id);
    if (split === undefined) throw new Error(`source "${entry.id}" has no split`);
    const other = seen.get(entry.group) ?? split;
    if (other !== split)
      throw new Error(`group "${entry.group}" is in ${other} and in ${split}; a group has one split`);
    seen.set(entry.group, split);
  }
}

/**
 * Training groups set aside for thresholds and model choice: about 15 % of those of each (kind, class), at least one.
 * A group that crosses classes (an emoji set, an artist) is moved whole and counts for each of its classes.
 */
export function validationGroups(entries: readonly SourceEntry[]): Set<string> {
  const random = new Random(VALIDATION_KEY);
  const training = entries.filter((entry) => entry.split === 'train');
  const chosen = new Set<string>();
  const emojiSets = new Set(training.filter((entry) => entry.style === 'emoji').map((entry) => entry.group));
  for (const { entries: pool, ofEmoji } of pools(training)) {
    const counts = new Map<string, number>();
    for (const entry of pool) counts.set(entry.group, (counts.get(entry.group) ?? 0) + 1);
    if (counts.size < 2) continue;
    const wanted = Math.max(1, Math.round(VALIDATION_SHARE * counts.size));
    let present = [...counts.keys()].filter((group) => chosen.has(group)).length;
    for (const group of random.shuffled([...counts.keys()].sort())) {
      if (present >= wanted) break;
      if (chosen.has(group) || emojiSets.has(group) !== ofEmoji) continue;
      if ((counts.get(group) ?? 0) > LARGEST_VALIDATION_GROUP * pool.length) continue;
      chosen.add(group);
      present++;
    }
  }
  return chosen;
}

interface Pool {
  readonly entries: readonly SourceEntry[];
  readonly ofEmoji: boolean;
}

function pools(training: readonly SourceEntry[]): Pool[] {
  const pool = (kind: string, label: string | null): Pool => ({
    entries: training.filter((entry) => entry.kind === kind && entry.class === label),
    ofEmoji: false,
  });
  return [
    // Emoji first: one set serves all classes at once, so no class sets a further one aside.
    { entries: training.filter((entry) => entry.style === 'emoji'), ofEmoji: true },
    ...LABELS.flatMap((label) => [pool('audio', label), pool('image', label)]),
    pool('background', null),
    pool('noise', null),
  ].filter(({ entries }) => entries.length > 0);
}
