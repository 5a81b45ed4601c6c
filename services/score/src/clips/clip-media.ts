import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FaultlineError } from '@faultline/service-kit';
import type { Media } from '../inputs/clip-inputs.ts';
import type { Clip, ClipSet } from './manifest.ts';

/** Reads a clip's media and checks that it is what the manifest says. */
async function readClip(set: ClipSet, clip: Clip): Promise<Uint8Array> {
  const media = await readFile(join(set.folder, clip.file)).catch((cause: unknown) => {
    throw new FaultlineError('failed_precondition', `clip '${clip.id}': its file '${clip.file}' cannot be read`, {
      cause,
    });
  });
  const digest = createHash('sha256').update(media).digest('hex');
  if (digest !== clip.sha256) {
    const remedy = 'restore the file or build the clip set again';
    throw new FaultlineError(
      'failed_precondition',
      `clip '${clip.id}': '${clip.file}' is not the file of the manifest; ${remedy}`,
    );
  }
  return media;
}

/** The media of a clip of a set, read from its file when it is needed. */
export function clipMedia(set: ClipSet, clip: Clip): Media {
  return { title: `clip '${clip.id}'`, sha256: clip.sha256, read: () => readClip(set, clip) };
}
