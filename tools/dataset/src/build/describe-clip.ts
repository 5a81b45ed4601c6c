import { type ExampleScene, eventGroups, sceneSources } from '../compose.ts';
import { LABELS } from '../labels.ts';
import type { SourceEntry } from '../manifest.ts';
import type { SetClip } from '../set/set-manifest.ts';
import { clipTerms } from './clip-terms.ts';
import type { BuiltPart } from './set-part.ts';

type Described = Omit<SetClip, 'id' | 'sha256' | 'shard' | 'row'>;

/** What a set's manifest says of a scene. @param entries the pack's sources by id */
export function describeClip(
  { split, stratum }: BuiltPart,
  { scene, kind, heard, seen, followsSound }: ExampleScene,
  entries: ReadonlyMap<string, SourceEntry>,
): Described {
  const sources = [...new Set(sceneSources(scene))];
  const used = sources.map((id) => {
    const entry = entries.get(id);
    if (entry === undefined) throw new Error(`no source "${id}"`);
    return entry;
  });
  const of = <T>(values: readonly (T | undefined)[]): T[] => [
    ...new Set(values.filter((value) => value !== undefined)),
  ];
  const inOrder = (labels: readonly string[]) => LABELS.filter((label) => labels.includes(label));
  const styleOf = (id: string | undefined) => (id === undefined ? undefined : entries.get(id)?.style);
  const scenery = used.filter(({ kind: source }) => source === 'background' || source === 'noise');
  return {
    split,
    stratum,
    labels: inOrder([...heard, ...seen]),
    heard: inOrder(heard),
    seen: inOrder(seen),
    events: scene.events.map(({ label, sound, picture }) => ({
      label,
      groups: of([sound?.group, picture?.group]),
      styles: of([styleOf(picture?.id)]),
    })),
    kind,
    followsSound,
    groups: eventGroups(scene),
    sceneryGroups: of(scenery.map(({ group }) => group)),
    sources,
    styles: of(scene.events.map(({ picture }) => styleOf(picture?.id))).sort(),
    licence: clipTerms(used),
    licenceFamilies: of(used.map(({ licenceFamily }) => licenceFamily)).sort(),
    attribution: of(used.map(({ attribution, package: from, licence }) => `${attribution} (${from}, ${licence})`)),
  };
}
