import { createHash } from 'node:crypto';
import type { attack } from '@faultline/contracts';

/** What of a clip decides on which side it is. */
export interface SplitClip {
  readonly stratum: string;
  /** Independence groups of its sources; without any it stands for itself. */
  readonly groups: readonly string[];
  readonly sha256: string;
}

/** Positions in the list that was split. */
export interface Split {
  readonly craft: readonly number[];
  readonly test: readonly number[];
  /** Those that share a source with both sides. */
  readonly leftOut: readonly number[];
}

/** Share of the groups where nothing is said. */
export const DEFAULT_SHARE = 0.5;

/** Groups of more than this share of the clips are dealt out to both sides, whatever clips they share. */
const LARGE = 0.1;
const FEW = 2;

const groupsOf = ({ groups, sha256 }: SplitClip) => (groups.length === 0 ? [`clip ${sha256}`] : groups);

/**
 * Groups that craft: large ones first, such as families of pictures, to the side that lacks clips; then each of the others to where most of its clips are already. So the
 * sides are near their shares, and few clips are left out.
 */
function craftingGroups(clips: readonly SplitClip[], share: number, seed: number): ReadonlySet<string> {
  const members = new Map<string, number[]>();
  for (const [index, clip] of clips.entries()) {
    for (const group of groupsOf(clip)) members.set(group, [...(members.get(group) ?? []), index]);
  }
  const key = (group: string) =>
    createHash('sha256').update(`faultline/universal-split/1 ${seed} ${group}`).digest('hex');
  const order = [...members]
    .map(([group, own]) => ({ group, own, key: key(group) }))
    .sort((a, b) => b.own.length - a.own.length || (a.key < b.key ? -1 : 1));
  const crafting = new Set<string>();
  /** By clip: 1 where a group of it crafts, -1 where one tests. */
  const sides = new Map<number, number>();
  const count = (side: number, own: Iterable<number>) => [...own].filter((index) => sides.get(index) === side).length;
  for (const { group, own } of order) {
    const pull = count(1, own) - count(-1, own);
    const lacking = count(1, sides.keys()) * (1 - share) <= count(-1, sides.keys()) * share;
    const isLarge = own.length > Math.max(FEW, LARGE * clips.length);
    const crafts = pull === 0 || isLarge ? lacking : pull > 0;
    if (crafts) crafting.add(group);
    for (const index of own) if (!sides.has(index)) sides.set(index, crafts ? 1 : -1);
  }
  return crafting;
}

/**
 * Cuts clips into those that a universal perturbation is crafted on and those that it is tested on; no group is on both sides. Of a stratum that crafts, the others test that share no group with it; of a
 * share of the groups, a clip crafts whose groups all do, and tests whose groups all do not.
 */
export function splitClips(clips: readonly SplitClip[], choice: attack.CraftingSplit['choice'], seed: number): Split {
  const isStratum = choice?.$case === 'stratum';
  const crafts = ({ stratum }: SplitClip) => isStratum && stratum === choice.value;
  const groups = isStratum
    ? new Set(clips.filter(crafts).flatMap(groupsOf))
    : craftingGroups(clips, choice?.value ?? DEFAULT_SHARE, seed);
  const sideOf = (clip: SplitClip): keyof Split => {
    const own = groupsOf(clip);
    if (isStratum ? crafts(clip) : own.every((group) => groups.has(group))) return 'craft';
    return own.some((group) => groups.has(group)) ? 'leftOut' : 'test';
  };
  const sides = clips.map(sideOf);
  const at = (side: keyof Split) => [...sides.keys()].filter((index) => sides[index] === side);
  return { craft: at('craft'), test: at('test'), leftOut: at('leftOut') };
}
