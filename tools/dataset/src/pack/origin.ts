/** How a source lies in its package. Members are paths in the package's own tree. */
export type Origin =
  | { readonly kind: 'file'; readonly member: string }
  | { readonly kind: 'zip' | 'qt-resource' | 'icon'; readonly member: string; readonly inner: string }
  | { readonly kind: 'catalogue'; readonly member: string; readonly entry: number }
  | { readonly kind: 'sample'; readonly member: string; readonly name: string }
  | { readonly kind: 'phrase'; readonly phrase: PhraseOrigin };

/** A window of random notes, played by a synthesiser. */
export interface PhraseOrigin {
  /** Decides the notes. */
  readonly seed: string;
  /** General MIDI program, or that of the drum kit, from 0. */
  readonly program: number;
  readonly drums: boolean;
  /** Number of the two seconds that are taken. */
  readonly window: number;
  readonly instrument: Instrument;
}

export interface Instrument {
  readonly synthesiser: 'fluidsynth' | 'timidity';
  /** Sound font, or TiMidity's configuration. */
  readonly member: string;
  /** Folder of the patches that a configuration names. */
  readonly patches?: string;
}

const ZIPS: Readonly<Record<string, string>> = {
  'public.zip': 'usr/share/games/0ad/mods/public/public.zip',
  '0snd.pk3': 'usr/share/games/ufoai/base/0snd.pk3',
};
const CATALOGUE = 'usr/share/games/openttd/baseset/opensfx/opensfx.cat';
const FONTS: Readonly<Record<string, Instrument>> = {
  FluidGM: { synthesiser: 'fluidsynth', member: 'usr/share/sounds/sf2/FluidR3_GM.sf2' },
  FluidR3_GM: { synthesiser: 'fluidsynth', member: 'usr/share/sounds/sf2/FluidR3_GM.sf2' },
  FluidGS: { synthesiser: 'fluidsynth', member: 'usr/share/sounds/sf2/FluidR3_GS.sf2' },
  TimGM: { synthesiser: 'fluidsynth', member: 'usr/share/sounds/sf2/TimGM6mb.sf2' },
  TimGM6mb: { synthesiser: 'fluidsynth', member: 'usr/share/sounds/sf2/TimGM6mb.sf2' },
  Freepats: { synthesiser: 'timidity', member: 'etc/timidity/freepats.cfg', patches: 'usr/share/midi/freepats' },
};
/** Where an npm package's archive keeps it. */
const ICONS = 'package/icons.json';

type Groups = Readonly<Record<string, string>>;

/** The forms of a source list's paths, and what each means. */
const FORMS: readonly (readonly [pattern: RegExp, origin: (groups: Groups) => Origin | undefined])[] = [
  [
    /^(?<font>\w+) preset (?<what>0:|drum kit )(?<program>\d+).*; notes seed "(?<seed>[^"]+)", window (?<window>\d+)$/,
    ({ font = '', what = '', program, seed = '', window }) => {
      const instrument = FONTS[font];
      if (instrument === undefined) return undefined;
      const drums = what !== '0:';
      return { kind: 'phrase', phrase: { seed, program: Number(program), drums, window: Number(window), instrument } };
    },
  ],
  [
    /^raw sample (?<font>\w+):\d+:\d+:.*:(?<name>[^:]+)$/,
    ({ font = '', name = '' }) => {
      const member = FONTS[font]?.member;
      return member === undefined ? undefined : { kind: 'sample', member, name };
    },
  ],
  [
    /^opensfx\.cat entry (?<entry>\d+)/,
    ({ entry }) => ({ kind: 'catalogue', member: CATALOGUE, entry: Number(entry) }),
  ],
  [/^icons\.json:(?<inner>.+)$/, ({ inner = '' }) => ({ kind: 'icon', member: ICONS, inner })],
  [/^(?<member>.+\.rcc):(?<inner>.+)$/, ({ member = '', inner = '' }) => ({ kind: 'qt-resource', member, inner })],
  [
    /^(?<archive>[^/]+\.(zip|pk3)):(?<inner>.+)$/,
    ({ archive = '', inner = '' }) => {
      const member = ZIPS[archive];
      return member === undefined ? undefined : { kind: 'zip', member, inner };
    },
  ],
  [/^(?<member>(usr|etc)\/.+)$/, ({ member = '' }) => ({ kind: 'file', member })],
];

/** Reads a source list's path. @throws RangeError that names a path of no known form. */
export function originOf(path: string): Origin {
  for (const [pattern, origin] of FORMS) {
    const groups = pattern.exec(path)?.groups;
    const found = groups && origin(groups);
    if (found) return found;
  }
  throw new RangeError(`"${path}" is of no known form; see tools/dataset/src/pack/origin.ts`);
}

/** What must be taken out of the package: files, or folders as a whole. */
export function membersOf(origin: Origin): readonly string[] {
  if (origin.kind !== 'phrase') return [origin.member];
  const { member, patches } = origin.phrase.instrument;
  return patches === undefined ? [member] : [member, patches];
}
