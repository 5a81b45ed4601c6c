import { readFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { z } from 'zod';

const clipSchema = z.object({
  id: z.string().min(1),
  file: z.string().min(1),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  labels: z.array(z.string()).min(1),
  stratum: z.string(),
  agree: z.boolean(),
  groups: z.array(z.string()),
});

const manifestSchema = z.object({
  name: z.string().min(1),
  version: z.union([z.string(), z.number()]).transform(String),
  clips: z.array(clipSchema).min(1),
});

/** One clip of a set: its media file, its labels, and where it comes from. */
export type Clip = z.output<typeof clipSchema>;

/** A labelled test set. */
export interface ClipSet {
  readonly name: string;
  readonly version: string;
  /** In the manifest's order. */
  readonly clips: readonly Clip[];
  /** The folder that the clips' `file` is relative to. */
  readonly folder: string;
}

/** A clip set that cannot be used; the message names the file and the field. */
export class ClipSetError extends Error {
  override name = 'ClipSetError';
}

/** Parses a manifest; unknown fields are for other readers and pass. */
export function parseManifest(json: string, folder: string): ClipSet {
  const file = join(folder, 'manifest.json');
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch (cause) {
    throw new ClipSetError(`${file} is not JSON`, { cause });
  }
  const parsed = manifestSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ClipSetError(`${file}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not a manifest'}`);
  }
  const ids = new Set<string>();
  for (const clip of parsed.data.clips) {
    if (ids.has(clip.id)) throw new ClipSetError(`${file}: clip id '${clip.id}' is used twice`);
    ids.add(clip.id);
    if (!resolve(folder, clip.file).startsWith(resolve(folder) + sep)) {
      throw new ClipSetError(`${file}: clip '${clip.id}': file '${clip.file}' is outside the set's folder`);
    }
  }
  return { ...parsed.data, folder };
}

async function readSet(folder: string): Promise<ClipSet | undefined> {
  const json = await readFile(join(folder, 'manifest.json'), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  return json === undefined ? undefined : parseManifest(json, folder);
}

const SET_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Opens a clip set: the one in `folder` itself when `name` is empty or its own name, else the one in the subfolder `name`.
 * Undefined when there is no such set.
 * @throws ClipSetError when the manifest cannot be used.
 */
export async function openClipSet(folder: string, name: string): Promise<ClipSet | undefined> {
  const main = await readSet(folder);
  if (name === '' || name === main?.name) return main;
  return SET_NAME.test(name) ? readSet(join(folder, name)) : undefined;
}
