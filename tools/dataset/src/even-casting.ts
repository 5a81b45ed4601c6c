import type { SourceEntry } from './manifest.ts';
import type { Random } from './random.ts';
import type { Casting } from './sources.ts';

/** Uses the given sources evenly: the least used group of a class, then the least used file of it; ties at random. */
export function evenCasting(entries: readonly SourceEntry[]): Casting {
  const uses = new Map<string, number>();
  const usesOf = (key: string): number => uses.get(key) ?? 0;
  const draw = (kind: string, label: string | null, random: Random): SourceEntry => {
    const own = entries.filter((entry) => entry.kind === kind && entry.class === label);
    // A group counts apart for each class: an artist's horses do not use up the artist's birds.
    const groupKey = (entry: SourceEntry): string => `${kind}/${label}/${entry.group}`;
    const [chosen] = random
      .shuffled(own)
      .sort((a, b) => usesOf(groupKey(a)) - usesOf(groupKey(b)) || usesOf(a.id) - usesOf(b.id));
    if (chosen === undefined)
      throw new Error(`no ${kind} source${label === null ? '' : ` of class "${label}"`} to draw`);
    for (const key of [groupKey(chosen), chosen.id]) uses.set(key, usesOf(key) + 1);
    return chosen;
  };
  return {
    sound: (label, random) => draw('audio', label, random),
    picture: (label, random) => draw('image', label, random),
    background: (random) => draw('background', null, random),
    noise: (random) => draw('noise', null, random),
  };
}
