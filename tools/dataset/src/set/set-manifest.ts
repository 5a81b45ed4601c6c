import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SceneKind } from '../scene.ts';
import type { Split, Stratum } from '../splits.ts';
import type { MediaShape } from './media-shape.ts';
import type { LeftOut } from './shards.ts';

/** A set that cannot be made or read; the message names the place and the remedy. */
export class SetError extends Error {
  override name = 'SetError';
}

/** What one label of a clip comes from. */
export interface SetEvent {
  readonly label: string;
  /** Groups of its sound and picture; of the whole clip where an import tells no more. */
  readonly groups: readonly string[];
  /** Styles of its picture: none where it is only heard. */
  readonly styles: readonly string[];
}

/** One clip of a set, built or imported. */
export interface SetClip {
  readonly id: string;
  readonly split: Split;
  /** Test clips: whether training hears and sees their sources. Null elsewhere. */
  readonly stratum: Stratum | null;
  /** Heard or seen. */
  readonly labels: readonly string[];
  /** Labels of the sound, and of the pictures; all of them where an import does not tell. */
  readonly heard: readonly string[];
  readonly seen: readonly string[];
  readonly events: readonly SetEvent[];
  /** Null where unknown. */
  readonly kind: SceneKind | null;
  /** The pictures move with the loudness of their sounds. Null where unknown. */
  readonly followsSound: boolean | null;
  /** Independence groups of the events' sources; that of the first sound comes first. Figures are clustered by it. */
  readonly groups: readonly string[];
  /** Independence groups of background and ambience. */
  readonly sceneryGroups: readonly string[];
  /** Ids of the sources in their pack. */
  readonly sources: readonly string[];
  /** Styles of the events' pictures: photo, drawing, emoji, or what an import says. */
  readonly styles: readonly string[];
  /** The clip's licence, or why it has none. */
  readonly licence: string;
  readonly licenceFamilies: readonly string[];
  /** Credit for each source. */
  readonly attribution: readonly string[];
  /** SHA-256 of the media file, of the features, or of the composed tensors. */
  readonly sha256: string;
  /** Its files' name, and its row in them. */
  readonly shard: string;
  readonly row: number;
}

/** `manifest.json` of a set. */
export interface SetManifest {
  readonly name: string;
  /** `media`: tensors `waveform` and `frames`; `features`: `audio` and `video`. */
  readonly kind: 'media' | 'features';
  /** In the order of the targets. */
  readonly labels: readonly string[];
  /** Sizes of one clip's tensors, by name. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly shape: MediaShape | null;
  readonly seed: number;
  readonly clips: readonly SetClip[];
  /** Clips that could not be read. */
  readonly leftOut: readonly LeftOut[];
}

export const MANIFEST_FILE = 'manifest.json';

/** @throws SetError when the folder holds no set, or an unfinished one. */
export async function readSetManifest(folder: string): Promise<SetManifest> {
  const path = join(folder, MANIFEST_FILE);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SetError(`${path} cannot be read; build or import a set into this folder first`, { cause });
  });
  const manifest: SetManifest = JSON.parse(text);
  if (!Array.isArray(manifest.clips) || !Array.isArray(manifest.clips[0]?.groups)) {
    throw new SetError(`${path} is of another form; build or import the set again`);
  }
  return manifest;
}

/** The manifest as text, a line a clip. */
export function manifestText({ clips, ...rest }: SetManifest): string {
  const head = JSON.stringify(rest).slice(0, -1);
  return `${head},"clips":[\n${clips.map((clip) => JSON.stringify(clip)).join(',\n')}\n]}\n`;
}
