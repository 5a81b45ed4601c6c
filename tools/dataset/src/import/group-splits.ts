import { Random } from '../random.ts';
import { SetError } from '../set/set-manifest.ts';
import { checkGroups, SPLITS, type Split } from '../splits.ts';
import type { ImportItem } from './import-item.ts';

/** Shares of the clips. */
export type SplitShares = Readonly<Record<Split, number>>;

export const SPLIT_SHARES: SplitShares = { train: 0.8, validation: 0.1, test: 0.1 };

/** A clip as splits see it: `digest` tells equal data. */
export type Grouped = Pick<ImportItem, 'id' | 'group' | 'labels' | 'split'> & { readonly digest: string };

export interface GroupedSplits {
  readonly splits: ReadonlyMap<string, Split>;
  /** The group of each clip, with groups that share data made one. */
  readonly groups: ReadonlyMap<string, string>;
}

/**
 * Splits clips by group, never by clip; groups that hold the same data count as one. Groups go, the largest first, to the split
 * that lacks their labels most (after Sechidis et al., 2011); equal ones in an order that the seed decides.
 * @throws SetError when the listing's own splits share a group or data.
 */
export function splitByGroup(items: readonly Grouped[], shares: SplitShares, seed: number): GroupedSplits {
  const groups = mergedGroups(items);
  const members = Map.groupBy(items, ({ id }) => groups.get(id) ?? '');
  const given = items.every(({ split }) => split !== undefined);
  const ofGroup = given ? givenSplits(members) : drawnSplits(members, shares, seed);
  const splits = new Map(items.map(({ id }) => [id, ofGroup.get(groups.get(id) ?? '') ?? 'train'] as const));
  checkGroups(
    items.map(({ id }) => ({ id, group: groups.get(id) ?? '' })),
    splits,
  );
  return { splits, groups };
}

/** Union of groups that share a digest; a merged group goes by its first name in the alphabet. */
function mergedGroups(items: readonly Grouped[]): Map<string, string> {
  const parent = new Map(items.map(({ group }) => [group, group]));
  const root = (group: string): string => {
    let at = group;
    for (let up = parent.get(at); up !== undefined && up !== at; up = parent.get(at)) at = up;
    return at;
  };
  const holder = new Map<string, string>();
  for (const { group, digest } of items) {
    const [first = group, second = first] = [root(group), root(holder.get(digest) ?? group)].sort();
    holder.set(digest, group);
    if (first !== second) parent.set(second, first);
  }
  return new Map(items.map(({ id, group }) => [id, root(group)]));
}

function givenSplits(members: ReadonlyMap<string, readonly Grouped[]>): Map<string, Split> {
  const found = new Map<string, Split>();
  for (const [group, own] of members) {
    const [first, other] = [...new Set(own.map(({ split }) => split))];
    if (other !== undefined) {
      const ids = own.map(({ id }) => id).slice(0, 3);
      throw new SetError(
        `group "${group}" is in ${first} and in ${other} (clips ${ids.join(', ')}): a group, and clips with equal data, have one split`,
      );
    }
    found.set(group, first ?? 'train');
  }
  return found;
}

function drawnSplits(
  members: ReadonlyMap<string, readonly Grouped[]>,
  shares: SplitShares,
  seed: number,
): Map<string, Split> {
  const total = new Map<string, number>();
  for (const label of [...members.values()].flat().flatMap(({ labels }) => labels)) {
    total.set(label, (total.get(label) ?? 0) + 1);
  }
  const lacking = new Map(
    SPLITS.map((split) => [split, new Map([...total].map(([label, count]) => [label, count * shares[split]]))]),
  );
  const order = new Random(`groups/${seed}`)
    .shuffled([...members.keys()].sort())
    .sort((a, b) => (members.get(b)?.length ?? 0) - (members.get(a)?.length ?? 0));
  const chosen = new Map<string, Split>();
  const usable = SPLITS.filter((split) => shares[split] > 0);
  for (const group of order) {
    const labels = (members.get(group) ?? []).flatMap((item) => item.labels);
    // What is lacking relative to the split's size: the small splits get their share of rare labels too.
    const need = (split: Split) =>
      labels.reduce((sum, label) => sum + (lacking.get(split)?.get(label) ?? 0) / shares[split], 0);
    const split = usable.reduce((best, candidate) => (need(candidate) > need(best) ? candidate : best));
    for (const label of labels) {
      const own = lacking.get(split);
      own?.set(label, (own.get(label) ?? 0) - 1);
    }
    chosen.set(group, split);
  }
  return chosen;
}
