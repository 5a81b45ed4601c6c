import { readFile, stat } from 'node:fs/promises';
import type { score } from '@faultline/contracts';
import { UsageError } from '../exit-code.ts';
import { bytes } from '../output/figures.ts';

/** Bytes of media in one request; the contract's limit, which all clips of a request share. */
export const MAX_REQUEST_BYTES = 60 * 1024 * 1024;

/** A clip of the command line, ready to be sent. */
export interface ClipArgument {
  readonly source: score.ClipSource;
  /** Bytes of media; 0 for a clip of the set. */
  readonly size: number;
}

/** What an identifier of a clip in a set looks like: no path, no suffix. */
const CLIP_ID = /^[A-Za-z0-9][A-Za-z0-9_-]*$/;

/**
 * Reads the clips that a command names: paths of media files, or identifiers of clips in the set.
 * @throws UsageError for what is no readable file, empty, too large, or named twice.
 */
export async function readClips(names: readonly string[], labels: readonly string[] = []): Promise<ClipArgument[]> {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`clip ${twice} is named twice; name each clip once`);
  return Promise.all(names.map((name) => readClip(name, labels)));
}

async function readClip(name: string, labels: readonly string[]): Promise<ClipArgument> {
  const file = await stat(name).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw unreadable(name, error);
  });
  if (file === undefined) return { source: idSource(name, labels), size: 0 };
  if (file.isDirectory()) throw new UsageError(`${name} is a folder; name the media files in it: ${name}/*`);
  if (file.size === 0) throw new UsageError(`${name} is empty; name a media file`);
  if (file.size > MAX_REQUEST_BYTES) {
    throw new UsageError(
      `${name} has ${bytes(file.size)}, and ${bytes(MAX_REQUEST_BYTES)} can be sent; ` +
        `cut it, for victims look at its first seconds: ffmpeg -i ${name} -t 10 -c copy short.mkv`,
    );
  }
  const media = await readFile(name).catch((error: unknown) => {
    throw unreadable(name, error);
  });
  return { source: { name, source: { $case: 'media', value: media }, labels: [...labels] }, size: media.length };
}

function idSource(name: string, labels: readonly string[]): score.ClipSource {
  if (!CLIP_ID.test(name)) throw new UsageError(`there is no file ${name}; name a media file, or a clip of the set`);
  return { name, source: { $case: 'clipId', value: name }, labels: [...labels] };
}

function unreadable(name: string, error: unknown): UsageError {
  return new UsageError(`${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
}

/** Clips in groups that each fit in a request of at most `maxClips`. */
export function requestGroups(clips: readonly ClipArgument[], maxClips: number): ClipArgument[][] {
  const groups: ClipArgument[][] = [];
  let size = 0;
  for (const clip of clips) {
    const group = groups.at(-1);
    if (group === undefined || group.length >= maxClips || size + clip.size > MAX_REQUEST_BYTES) {
      groups.push([clip]);
      size = clip.size;
    } else {
      group.push(clip);
      size += clip.size;
    }
  }
  return groups;
}
