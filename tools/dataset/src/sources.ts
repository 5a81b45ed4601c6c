import type { Picture } from './decode.ts';
import { LABELS } from './labels.ts';
import { readManifest, type SourceEntry } from './manifest.ts';
import type { Random } from './random.ts';
import { SetError } from './set/set-manifest.ts';
import { type DecodedSources, loadDecoded, pictureIn, soundIn } from './source-cache.ts';
import { assignSplits, type Split } from './splits.ts';

/** A decoded source pack. */
export interface Sources {
  readonly entries: readonly SourceEntry[];
  /** Split by source id. */
  readonly splits: ReadonlyMap<string, Split>;
  /** 16-bit samples at 16 kHz, silence at the ends removed. */
  sound(id: string): Int16Array;
  picture(id: string): Picture;
}

/** What a thread needs to rebuild `Sources` without decoding or copying. */
export interface SharedSources {
  readonly entries: readonly SourceEntry[];
  readonly decoded: DecodedSources;
}

/**
 * Loads a source pack: decodes all of it once (some seconds), later reads the cache.
 * @param cacheDir where decoded packs are kept, `.cache/dataset` of the checkout unless given
 * @throws Error when the folder is no source pack, or one of its files does not decode
 */
export async function openSources(packDir: string, cacheDir?: string): Promise<Sources> {
  return sourcesFrom(await loadShared(packDir, cacheDir));
}

export async function loadShared(packDir: string, cacheDir?: string): Promise<SharedSources> {
  const entries = await readManifest(packDir);
  return { entries, decoded: await loadDecoded(packDir, entries, cacheDir) };
}

export function sourcesFrom({ entries, decoded }: SharedSources): Sources {
  const sounds = new Map<string, Int16Array>();
  const pictures = new Map<string, Picture>();
  return {
    entries,
    splits: assignSplits(entries),
    sound: (id) => remembered(sounds, id, () => soundIn(decoded, id)),
    picture: (id) => remembered(pictures, id, () => pictureIn(decoded, id)),
  };
}

function remembered<T>(known: Map<string, T>, id: string, make: () => T): T {
  const value = known.get(id) ?? make();
  known.set(id, value);
  return value;
}

/** Chooses the sources of a scene. */
export interface Casting {
  sound(label: string, random: Random): SourceEntry;
  picture(label: string, random: Random): SourceEntry;
  background(random: Random): SourceEntry;
  noise(random: Random): SourceEntry;
}

/**
 * Draws at random from one split: a group with probability proportional to the square root of its size (large groups
 * hold near repetitions, single files would be over-drawn), then a file of it.
 */
export function randomCasting(sources: Sources, split: Split): Casting {
  const own = sources.entries.filter((entry) => sources.splits.get(entry.id) === split);
  const pool = (kind: string, label: string | null): ((random: Random) => SourceEntry) =>
    groupedDraw(
      own.filter((entry) => entry.kind === kind && entry.class === label),
      `${split} split: no ${kind} source${label === null ? '' : ` of class "${label}"`}; the pack is not whole, see its README.md`,
    );
  const sounds = new Map(LABELS.map((label) => [label, pool('audio', label)]));
  const pictures = new Map(LABELS.map((label) => [label, pool('image', label)]));
  const draw = (pools: typeof sounds, label: string, random: Random): SourceEntry => {
    const choose = pools.get(label);
    if (choose === undefined) throw new RangeError(`unknown label "${label}"`);
    return choose(random);
  };
  return {
    sound: (label, random) => draw(sounds, label, random),
    picture: (label, random) => draw(pictures, label, random),
    background: pool('background', null),
    noise: pool('noise', null),
  };
}

function groupedDraw(entries: readonly SourceEntry[], whenEmpty: string): (random: Random) => SourceEntry {
  const groups = [...Map.groupBy(entries, ({ group }) => group).values()];
  const total = groups.reduce((sum, group) => sum + Math.sqrt(group.length), 0);
  return (random) => {
    let left = random.next() * total;
    const chosen = groups.find((group) => {
      left -= Math.sqrt(group.length);
      return left < 0;
    });
    const group = chosen ?? groups.at(-1);
    if (group === undefined) throw new SetError(whenEmpty);
    return random.pick(group);
  };
}
