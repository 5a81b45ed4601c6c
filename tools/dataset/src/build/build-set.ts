import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { LABELS } from '../labels.ts';
import type { SourceEntry } from '../manifest.ts';
import { TRAINING_GEOMETRY } from '../render-frames.ts';
import { finishSet } from '../set/finish-set.ts';
import { checkGroupsApart } from '../set/groups-apart.ts';
import { makeShards, type ShardMaker } from '../set/make-shards.ts';
import { MEDIA_SHAPE } from '../set/media-shape.ts';
import type { OnProgress } from '../set/progress.ts';
import { type SetClip, SetError, type SetManifest } from '../set/set-manifest.ts';
import { planShards, type Shard, type ShardIndex } from '../set/shards.ts';
import { observedWeaknesses } from '../set/weaknesses.ts';
import { loadShared, type Sources, sourcesFrom } from '../sources.ts';
import { NOT_TO_PUBLISH } from './clip-terms.ts';
import { ComposingThread } from './composing-thread.ts';
import type { BuiltItem, ThreadSetup } from './composing-worker.ts';
import { describeClip } from './describe-clip.ts';
import { packWeaknesses } from './pack-weaknesses.ts';
import { BUILT_PARTS, clipId, type PartSizes, sceneOf } from './set-part.ts';

export interface BuildOptions {
  readonly packDir: string;
  /** Where decoded packs are kept, `.cache/dataset` of the checkout unless given. */
  readonly cacheDir?: string;
  readonly out: string;
  readonly name: string;
  readonly sizes: PartSizes;
  readonly seed: number;
  /** Clips of each part that become media files too. */
  readonly media: number;
  /** Threads that compose. The set does not depend on it. */
  readonly workers: number;
  readonly onProgress: OnProgress;
}

/** Raised when composing changes, so that what older versions made is made anew. */
const COMPOSER_VERSION = 1;
const COMPOSED =
  'Scenes are composed, not filmed: cut-outs move over unrelated photographs; only their size and height follow the sound, in half of the clips.';

/**
 * Builds a set from a source pack: shards, data card, contact sheet and manifest. A function of the pack, sizes and seed alone: run
 * again, it makes only what is missing, and gives the same bytes.
 * @throws SetError when a group, or equal data, would be in two splits.
 */
export async function buildSet(options: BuildOptions): Promise<SetManifest> {
  const { packDir, out, sizes, seed } = options;
  options.onProgress({ stage: 'sources', done: 0, of: 1 });
  const shared = await loadShared(packDir, options.cacheDir);
  options.onProgress({ stage: 'sources', done: 1, of: 1 });
  const sources = sourcesFrom(shared);
  checkDataApart(sources);
  const items = BUILT_PARTS.map((part) =>
    Array.from({ length: sizes[part.name] }, (_, index): BuiltItem => ({ part, index })),
  );
  const described = describeAll(sources, seed, items.flat());
  checkGroupsApart([...described.values()]);

  const pack = createHash('sha256').update(JSON.stringify(shared.entries)).digest('hex');
  const shards = BUILT_PARTS.flatMap((part, at) =>
    planShards(part.name, items[at] ?? [], (own) => [COMPOSER_VERSION, pack, seed, TRAINING_GEOMETRY, own]),
  );
  const setup: ThreadSetup = { shared, out, seed };
  const indexes = await makeShards({ ...options, shards }, () => threadMaker(setup));
  await writeMedia(options, setup, items);
  const clips = shards.flatMap(({ key }, at) =>
    (indexes[at]?.clips ?? []).flatMap(({ id, sha256 }, row): SetClip[] => {
      const clip = described.get(id);
      return clip === undefined ? [] : [{ ...clip, sha256, shard: key, row }];
    }),
  );
  const manifest: SetManifest = {
    name: options.name,
    kind: 'media',
    labels: LABELS,
    tensors: indexes[0]?.tensors ?? {},
    shape: MEDIA_SHAPE,
    seed,
    clips,
    leftOut: [],
  };
  const weaknesses = [COMPOSED, ...licenceWeaknesses(clips), ...(await packWeaknesses(packDir))];
  await finishSet(out, manifest, [...observedWeaknesses(indexes), ...weaknesses]);
  return manifest;
}

/** Equal files are one source, whatever their groups say. */
function checkDataApart({ entries, splits }: Sources): void {
  const holders = new Map<string, SourceEntry>();
  for (const entry of entries) {
    const other = holders.get(entry.sha256) ?? entry;
    const [here, there] = [splits.get(entry.id), splits.get(other.id)];
    if (here !== there) {
      throw new SetError(`sources "${other.id}" (${there}) and "${entry.id}" (${here}) hold the same data; keep one`);
    }
    holders.set(entry.sha256, other);
  }
}

type Described = Omit<SetClip, 'sha256' | 'shard' | 'row'>;

function describeAll(sources: Sources, seed: number, items: readonly BuiltItem[]): Map<string, Described> {
  const entries = new Map(sources.entries.map((entry) => [entry.id, entry]));
  return new Map(
    items.map(({ part, index }) => {
      const id = clipId(part.name, index);
      return [id, { id, ...describeClip(part, sceneOf(sources, part, seed, index), entries) }] as const;
    }),
  );
}

function threadMaker(setup: ThreadSetup): ShardMaker<BuiltItem> {
  const thread = new ComposingThread(setup);
  return {
    make: (shard: Shard<BuiltItem>): Promise<ShardIndex> => thread.makeShard(shard),
    close: () => thread[Symbol.asyncDispose](),
  };
}

/** The first clips of each part as media files, for eyes and ears. */
async function writeMedia(
  { out, media, workers, onProgress }: BuildOptions,
  setup: ThreadSetup,
  items: readonly (readonly BuiltItem[])[],
): Promise<void> {
  const folder = join(out, 'media');
  await rm(folder, { recursive: true, force: true });
  if (media === 0) return;
  await mkdir(folder, { recursive: true });
  const wanted = items.flatMap((own) => own.slice(0, media));
  const queue = wanted.values();
  let done = 0;
  const lane = async (): Promise<void> => {
    await using thread = new ComposingThread(setup);
    for (const item of queue) {
      await thread.writeMedia(item);
      onProgress({ stage: 'media', done: ++done, of: wanted.length });
    }
  };
  await Promise.all(Array.from({ length: Math.min(workers, wanted.length) }, lane));
}

function licenceWeaknesses(clips: readonly SetClip[]): string[] {
  const closed = clips.filter(({ licence }) => licence === NOT_TO_PUBLISH).length;
  if (closed === 0) return [];
  return [
    `${closed} of ${clips.length} clips join sources whose licences forbid publishing them together: keep the set.`,
  ];
}
