import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../exit-code.ts';

/** A clip of a set, its truth and the stratum that it counts for. */
export interface LabelledClip {
  readonly file: string;
  readonly labels: readonly string[];
  readonly stratum: string;
  /** Styles of its pictures; none where the set does not tell. */
  readonly styles: readonly string[];
}

const manifestSchema = z.object({
  clips: z
    .array(
      z.object({
        file: z.string(),
        labels: z.array(z.string()),
        stratum: z.string(),
        styles: z.array(z.string()).default([]),
      }),
    )
    .min(1),
});

/** The clips of a set, in its order. @throws UsageError when the folder is no clip set. */
export async function readLabelledClips(folder: string): Promise<readonly LabelledClip[]> {
  const path = join(folder, 'manifest.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`${path} cannot be read; give the folder of a clip set with --clips`, { cause });
  });
  const parsed = manifestSchema.safeParse(
    await Promise.resolve(text)
      .then(JSON.parse)
      .catch(() => undefined),
  );
  if (!parsed.success)
    throw new UsageError(`${path} is no manifest of clips; give the folder of a clip set with --clips`);
  return parsed.data.clips.map((clip) => ({ ...clip, file: join(folder, clip.file) }));
}

/** The clips of one stratum, in the set's order. */
export const strataOf = (clips: readonly LabelledClip[], stratum: string): readonly LabelledClip[] =>
  clips.filter((clip) => clip.stratum === stratum);
