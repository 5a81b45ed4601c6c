import type { SourceEntry } from '../manifest.ts';

/** Stands for a licence where the sources' licences do not go together. */
export const NOT_TO_PUBLISH = 'none: its sources may not be published together';

const FREE = ['MIT', 'CC0-1.0', 'public-domain'];
/** LinCity-NG's authors offer both; a clip takes the side that fits. */
const DUAL = 'GPL-2+ OR CC-BY-SA-2.0';
const ATTRIBUTION = [...FREE, 'Apache-2.0', 'CC-BY-3.0', 'CC-BY-4.0'];
const GPL_2 = [...FREE, 'GPL', 'GPL-2+', DUAL];
const GPL_3 = [...GPL_2, 'GPL-3+', 'Apache-2.0'];

/**
 * Licences that a clip may have, the most permissive first, and the sources' licences that each allows. GPL and Creative Commons
 * sources do not meet; Apache-2.0 goes with version 3 of the GPL only.
 */
const TERMS: Readonly<Record<string, readonly string[]>> = {
  'CC-BY-4.0': ATTRIBUTION,
  'CC-BY-SA-4.0': [...ATTRIBUTION, 'CC-BY-SA-3.0', 'CC-BY-SA-4.0', DUAL],
  'GPL-2.0-or-later': GPL_2,
  'GPL-2.0-only': [...GPL_2, 'GPL-2'],
  'GPL-3.0-or-later': GPL_3,
  'GPL-3.0-only': [...GPL_3, 'GPL-3'],
  'FAL-1.2': [...FREE, 'FAL-1.2'],
};

/** The licence under which a clip made of the sources may be published. */
export function clipTerms(sources: readonly Pick<SourceEntry, 'licence'>[]): string {
  const found = Object.entries(TERMS).find(([, allowed]) => sources.every(({ licence }) => allowed.includes(licence)));
  return found?.[0] ?? NOT_TO_PUBLISH;
}
