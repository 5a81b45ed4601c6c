import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LABELS } from '@faultline/dataset';
import type { Inputs } from '@faultline/fusion';
import { decodeMedia } from '@faultline/media';
import type { LabelledBatch, LabelledSet } from './labelled-set.ts';

const MANIFEST_FILE = 'manifest.json';

/** Whether a clip's sources were seen in training, in other renditions. */
export type Stratum = 'unseen' | 'seen';
export const STRATA: readonly Stratum[] = ['unseen', 'seen'];

interface ManifestClip {
  readonly file: string;
  readonly stratum: Stratum;
  readonly labels: readonly string[];
  /** Styles of its pictures. */
  readonly styles: readonly string[];
  /** Independence groups of its sources. */
  readonly groups: readonly string[];
}

/** The shipped test clips of one stratum, decoded to a victim's inputs as the services decode them. */
export async function loadShippedClips(dir: string, stratum: Stratum, spec: Inputs): Promise<LabelledSet> {
  const clips = (await readClips(dir)).filter((clip) => clip.stratum === stratum);
  const targets = Float32Array.from(
    clips.flatMap(({ labels }) => LABELS.map((label) => (labels.includes(label) ? 1 : 0))),
  );
  const batches: LabelledBatch[] = [];
  for (const [start, { file }] of clips.entries()) {
    const [waveform, frames] = await decodeMedia(await readFile(join(dir, file)), [
      { kind: 'waveform', ...spec.waveform },
      { kind: 'frames', ...spec.frames },
    ]);
    if (!(waveform?.data instanceof Float32Array) || !(frames?.data instanceof Uint8Array)) {
      throw new TypeError(`clip "${file}" decoded to unexpected types`);
    }
    batches.push({ start, size: 1, inputs: { waveform: waveform.data, frames: frames.data } });
  }
  return { labels: LABELS, batches, targets, styles: clips.map(({ styles }) => styles) };
}

/** All clips of a set, in its order. @throws RangeError when the folder holds none. */
export async function readClips(dir: string): Promise<readonly ManifestClip[]> {
  const path = join(dir, MANIFEST_FILE);
  const manifest: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (typeof manifest !== 'object' || manifest === null || !('clips' in manifest) || !Array.isArray(manifest.clips)) {
    throw new RangeError(`${path} lists no clips; pass a clip set with --clips DIR`);
  }
  return manifest.clips.map((clip: ManifestClip) => clip);
}
