import type { FeatureSpec } from './designs.ts';
import { LAPTOP } from './laptop-architectures.ts';
import { scaleWidths } from './scale-widths.ts';
import type { VictimSpec } from './specs.ts';
import { STUDY } from './study-architectures.ts';

/** One architecture at two sizes: on media, quickly trained; and the founding study's, on features computed beforehand. */
export interface Architecture {
  readonly laptop: VictimSpec;
  readonly study: FeatureSpec;
}

/**
 * Factors of all widths that give early and late fusion the parameters of mid fusion, as `matchParameters` finds them (a test
 * compares): what then differs is where the modalities meet, not size.
 */
export const MATCHED_FACTORS = {
  laptop: { early: 130 / 128, late: 139 / 128 },
  study: { early: 137 / 128, late: 98 / 128 },
} as const;

const pairs = <N extends string>(
  laptop: Readonly<Record<N, VictimSpec>>,
  study: Readonly<Record<N, FeatureSpec>>,
): Readonly<Record<N, Architecture>> => {
  const names = Object.keys(laptop) as N[];
  const entries = names.map((name) => [name, { laptop: laptop[name], study: study[name] }] as const);
  return Object.fromEntries(entries) as Record<N, Architecture>;
};

const matched = (fusion: 'early' | 'late'): Architecture => ({
  laptop: scaleWidths<VictimSpec>(LAPTOP[fusion], MATCHED_FACTORS.laptop[fusion]),
  study: scaleWidths<FeatureSpec>(STUDY[fusion], MATCHED_FACTORS.study[fusion]),
});

/** All architectures by name. */
export const ARCHITECTURES = {
  ...pairs(LAPTOP, STUDY),
  'early-matched': matched('early'),
  'mid-matched': { laptop: LAPTOP.mid, study: STUDY.mid },
  'late-matched': matched('late'),
} as const satisfies Readonly<Record<string, Architecture>>;

export type ArchitectureName = keyof typeof ARCHITECTURES;

/** The names of all architectures. */
export const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as readonly ArchitectureName[];
