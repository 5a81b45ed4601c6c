import type { SourceEntry } from './manifest.ts';

/** Credit for one source of a clip. */
export interface Attribution {
  /** Source id in the pack. */
  readonly source: string;
  readonly title: string;
  readonly author: string;
  readonly licence: string;
  /** Where it was published. */
  readonly package: string;
}

/** Dual-licensed sources are taken under the Creative Commons side of their authors' offer. */
const LICENCE_TAKEN: Readonly<Record<string, string>> = { 'GPL-2+ OR CC-BY-SA-2.0': 'CC-BY-SA-2.0' };

/** True for sources that may meet in a published clip. */
export function mayShip({ licenceFamily }: Pick<SourceEntry, 'licenceFamily'>): boolean {
  return licenceFamily === 'permissive' || licenceFamily === 'cc';
}

export function attributionOf(entry: SourceEntry): Attribution {
  return {
    source: entry.id,
    title: entry.path.split('/').at(-1) ?? entry.path,
    author: entry.attribution,
    licence: LICENCE_TAKEN[entry.licence] ?? entry.licence,
    package: entry.package,
  };
}

/**
 * Licence of a clip made from the sources: CC BY-SA 2.0 and 3.0 let adaptations go under a later version, so one
 * share-alike source makes the clip CC BY-SA 4.0; otherwise it is CC BY 4.0.
 * @throws Error when a source may not be shipped.
 */
export function clipLicence(entries: readonly SourceEntry[]): 'CC-BY-SA-4.0' | 'CC-BY-4.0' {
  for (const entry of entries) {
    if (!mayShip(entry)) throw new Error(`source "${entry.id}" is ${entry.licence}; shipped clips take no GPL sources`);
  }
  const shareAlike = entries.some((entry) => attributionOf(entry).licence.startsWith('CC-BY-SA'));
  return shareAlike ? 'CC-BY-SA-4.0' : 'CC-BY-4.0';
}
