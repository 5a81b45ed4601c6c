import { type SetClip, SetError } from './set-manifest.ts';

type Grouped = Pick<SetClip, 'id' | 'split' | 'stratum' | 'groups' | 'sceneryGroups'>;

/**
 * Checks that no group of the test, nor of validation, appears in training, scenery included. Seen test clips use the training's
 * groups and no others.
 * @throws SetError that names the group and two clips.
 */
export function checkGroupsApart(clips: readonly Grouped[]): void {
  const holders = new Map<string, { readonly side: string; readonly id: string }>();
  for (const { id, split, stratum, groups, sceneryGroups } of clips) {
    const side = stratum === 'seen' ? 'train' : split;
    for (const group of [...groups, ...sceneryGroups]) {
      const other = holders.get(group) ?? { side, id };
      if (other.side !== side) {
        throw new SetError(
          `group "${group}" is in ${other.side} (clip "${other.id}") and in ${side} (clip "${id}"); a group has one split`,
        );
      }
      holders.set(group, other);
    }
  }
}
