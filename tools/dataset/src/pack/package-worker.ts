import { createHash } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { SourceEntry } from '../manifest.ts';
import { writeWhole } from '../set/shards.ts';
import { packPicture, packSound } from './convert.ts';
import { distance, fingerprint } from './fingerprint.ts';
import { membersOf, originOf } from './origin.ts';
import { PackageReader } from './package-reader.ts';
import { unpack } from './package-store.ts';
import type { ListedSource } from './source-list.ts';

/** A package's sources, and where things lie. */
export interface PackageTask {
  readonly file: string;
  readonly sources: readonly ListedSource[];
  readonly work: string;
  readonly out: string;
}

/** A source of the rebuilt pack, or why it is not in it. */
export type SourceOutcome =
  | { readonly id: string; readonly entry: SourceEntry; readonly likeness: Likeness }
  | { readonly id: string; readonly missing: string };

/** How a file compares with the original pack's. Phrases have other notes, so they are not compared. */
export type Likeness = 'match' | 'near' | 'differs' | 'other notes';

/** Differing bits of 64 up to which a file counts as equal, and as near; by chance they are 32 or so, hardly ever below 16. */
const MATCH_BITS = 6;
const NEAR_BITS = 16;

const { file, sources, work, out }: PackageTask = workerData;

const members = sources.flatMap(({ path }) => membersOf(originOf(path)));
await using reader = new PackageReader(await unpack(file, members, work));
for (const source of sources) parentPort?.postMessage(await made(source));

async function made(source: ListedSource): Promise<SourceOutcome> {
  try {
    return await make(source);
  } catch (error) {
    return { id: source.id, missing: error instanceof Error ? error.message : String(error) };
  }
}

async function make(source: ListedSource): Promise<SourceOutcome> {
  const { fingerprint: original, ...rest } = source;
  const origin = originOf(source.path);
  const name = fileOf(source);
  const path = join(out, name);
  if (!(await stat(path).catch(() => undefined))) {
    const media = await reader.read(origin);
    await mkdir(dirname(path), { recursive: true });
    if (isSound(source)) await writeWhole(path, await packSound(media));
    else
      await writeWhole(
        path,
        await packPicture('path' in media ? await readFile(media.path) : Buffer.from(media), source.kind),
      );
  }
  const sha256 = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  const entry: SourceEntry = { ...rest, file: name, sha256 };
  if (origin.kind === 'phrase') return { id: source.id, entry, likeness: 'other notes' };
  const bits = distance(original, await fingerprint(path, source.kind));
  return { id: source.id, entry, likeness: bits <= MATCH_BITS ? 'match' : bits <= NEAR_BITS ? 'near' : 'differs' };
}

function isSound({ kind }: ListedSource): boolean {
  return kind === 'audio' || kind === 'noise';
}

/** Folders as in the original pack; sounds are WAV here. */
function fileOf({ id, kind, class: label }: ListedSource): string {
  switch (kind) {
    case 'audio':
      return `audio/${label}/${id}.wav`;
    case 'image':
      return `images/${label}/${id}.webp`;
    case 'noise':
      return `noise/${id}.wav`;
    case 'background':
      return `backgrounds/${id}.webp`;
  }
}
