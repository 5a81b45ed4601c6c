import type { Picture } from './decode.ts';
import { LABELS } from './labels.ts';
import type { SourceEntry, SourceKind } from './manifest.ts';
import type { Sources } from './sources.ts';
import { assignSplits } from './splits.ts';

/** A small made-up pack for tests: tones as sounds, plain rectangles as pictures, distinct for each class. */

const TRAIN_GROUPS = 4;
const FILES_PER_GROUP = 2;
const BORDER = 1;

export function syntheticEntries(): SourceEntry[] {
  const entries: SourceEntry[] = [];
  const add = (kind: SourceKind, label: string | null): void => {
    for (let group = 0; group <= TRAIN_GROUPS; group++) {
      for (let file = 0; file < FILES_PER_GROUP; file++) {
        const name = `${kind}-${label ?? 'any'}-${group}-${file}`;
        entries.push({
          id: name,
          kind,
          class: label,
          file: `${name}.${kind === 'audio' || kind === 'noise' ? 'wav' : 'webp'}`,
          package: 'made-up',
          path: name,
          sha256: name,
          group: `${kind}-${label ?? 'any'}-${group}`,
          split: group === TRAIN_GROUPS ? 'test' : 'train',
          licence: 'CC0-1.0',
          licenceFamily: 'permissive',
          attribution: 'nobody',
        });
      }
    }
  };
  for (const label of LABELS) {
    add('audio', label);
    add('image', label);
  }
  add('background', null);
  add('noise', null);
  return entries;
}

export function syntheticSources(): Sources {
  const entries = syntheticEntries();
  const find = (id: string): SourceEntry => {
    const entry = entries.find((candidate) => candidate.id === id);
    if (entry === undefined) throw new Error(`no source "${id}"`);
    return entry;
  };
  const tones = new Map<string, Int16Array>();
  return {
    entries,
    splits: assignSplits(entries),
    sound: (id) => {
      const samples = tones.get(id) ?? tone(find(id));
      tones.set(id, samples);
      return samples;
    },
    picture: (id) => {
      const backdrop = find(id).kind === 'background';
      return rectangle(backdrop ? 120 : 40, backdrop ? 100 : 30, [colourOf(find(id)), 120, 60]);
    },
  };
}

/** Sounds of a second, so that they repeat; ambiences of three, a low hum. */
export function tone({ kind, class: label }: SourceEntry): Int16Array<ArrayBuffer> {
  const hertz = label === null ? 90 : 200 + 300 * LABELS.indexOf(label);
  const samples = new Int16Array(kind === 'noise' ? 48_000 : 16_000);
  for (let at = 0; at < samples.length; at++) samples[at] = 12_000 * Math.sin((2 * Math.PI * hertz * at) / 16_000);
  return samples;
}

export function rectangle(
  width: number,
  height: number,
  [red, green, blue]: readonly [number, number, number],
): Picture {
  const outer = { width: width + 2 * BORDER, height: height + 2 * BORDER };
  const pixels = new Uint8Array(outer.width * outer.height * 4);
  for (let y = BORDER; y < height + BORDER; y++) {
    for (let x = BORDER; x < width + BORDER; x++) pixels.set([red, green, blue, 255], (y * outer.width + x) * 4);
  }
  return { levels: [{ ...outer, pixels }] };
}

function colourOf({ class: label }: SourceEntry): number {
  return label === null ? 10 : 30 + 18 * LABELS.indexOf(label);
}
