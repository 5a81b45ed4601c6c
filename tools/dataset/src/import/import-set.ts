import { type ChildProcess, fork } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SPLITS, type Split } from '../splits.ts';
import { contactSheet } from './contact-sheet.ts';
import { dataCard } from './data-card.ts';
import { type Grouped, type SplitShares, splitByGroup } from './group-splits.ts';
import { ImportError, type ImportItem } from './import-item.ts';
import type { ShardRequest } from './import-process.ts';
import { digestOf, type MediaShape } from './read-clip.ts';
import { type LeftOut, planShards, readShardIndex, type Shard, type ShardIndex } from './shards.ts';

export interface ImportOptions {
  readonly items: readonly ImportItem[];
  /** Where the set goes. */
  readonly out: string;
  readonly name: string;
  readonly shares: SplitShares;
  /** Decides which groups go where. */
  readonly seed: number;
  readonly shape: MediaShape;
  /** Processes that read clips. The set does not depend on it. */
  readonly workers: number;
  readonly onProgress: (progress: ImportProgress) => void;
}

export interface ImportProgress {
  readonly stage: 'digests' | 'clips';
  readonly done: number;
  readonly of: number;
}

/** One clip of an imported set. */
export interface ImportedClip {
  readonly id: string;
  readonly labels: readonly string[];
  readonly group: string;
  readonly split: Split;
  /** SHA-256 of the media file, or of the features. */
  readonly sha256: string;
  readonly licence: string;
  readonly attribution: string;
  readonly style: string;
  /** Its files' name, and its row in them. */
  readonly shard: string;
  readonly row: number;
}

/** `manifest.json` of an imported set. */
export interface ImportedManifest {
  readonly name: string;
  readonly kind: 'media' | 'features';
  readonly labels: readonly string[];
  /** Sizes of one clip's tensors, by name. */
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly shape: MediaShape | null;
  readonly seed: number;
  readonly clips: readonly ImportedClip[];
  readonly leftOut: readonly LeftOut[];
}

const DIGESTS_AT_ONCE = 8;

/**
 * Imports a listing: reads every clip into shards of .npy files, and writes `manifest.json`, `DATA-CARD.md` and
 * `contact-sheet.png`. A pure function of the clips' data, listing, seed and shape: run again, it reads only what changed or was not
 * finished, and gives the same bytes.
 * @throws ImportError when no clip can be read, media and features are mixed, or splits share a group.
 */
export async function importSet(options: ImportOptions): Promise<ImportedManifest> {
  const { items, out, shape } = options;
  const kinds = new Set(items.map(({ source }) => source.kind));
  const [kind, otherKind] = [...kinds];
  if (kind === undefined || otherKind !== undefined) {
    throw new ImportError('the listing mixes media and features; import them as two sets');
  }
  const unreadable: LeftOut[] = [];
  const known = await digests(options, unreadable);
  const { splits, groups } = splitByGroup(known, options.shares, options.seed);
  const shards = SPLITS.flatMap((split) =>
    planShards(
      split,
      known.filter(({ id }) => splits.get(id) === split),
      shape,
    ),
  );
  await mkdir(join(out, 'shards'), { recursive: true });
  const indexes = await makeShards(options, shards);
  await removeOthers(out, shards);

  const byId = new Map(known.map((item) => [item.id, item]));
  const clips = shards.flatMap(({ key, split }, at) =>
    (indexes[at]?.clips ?? []).flatMap((id, row): ImportedClip[] => {
      const item = byId.get(id);
      if (item === undefined) return [];
      const { labels, digest: sha256, licence, attribution, style } = item;
      const group = groups.get(id) ?? item.group;
      return [{ id, labels, group, split, sha256, licence, attribution, style, shard: key, row }];
    }),
  );
  const leftOut = [...unreadable, ...indexes.flatMap((index) => index.leftOut)];
  if (clips.length === 0) {
    throw new ImportError(`no clip could be read; the first: ${leftOut[0]?.id}: ${leftOut[0]?.reason}`);
  }
  const manifest: ImportedManifest = {
    name: options.name,
    kind,
    labels: [...new Set(clips.flatMap(({ labels }) => labels))].sort(),
    tensors: indexes.find(({ clips: read }) => read.length > 0)?.tensors ?? {},
    shape: kind === 'media' ? shape : null,
    seed: options.seed,
    clips,
    leftOut,
  };
  const observed = {
    silent: indexes.flatMap(({ silent }) => silent),
    still: indexes.flatMap(({ still }) => still),
    ungrouped: items.filter(({ groupGiven }) => !groupGiven).length,
  };
  await writeFile(join(out, 'DATA-CARD.md'), dataCard(manifest, observed));
  await writeFile(join(out, 'contact-sheet.png'), await contactSheet(out, manifest));
  // Written last: where it is, the set is whole.
  await writeFile(join(out, 'manifest.json'), `${JSON.stringify(manifest, null, 1)}\n`);
  return manifest;
}

type Known = ImportItem & Grouped;

async function digests({ items, onProgress }: ImportOptions, unreadable: LeftOut[]): Promise<readonly Known[]> {
  const found = new Map<string, Known>();
  const failed = new Map<string, LeftOut>();
  const queue = items.values();
  let done = 0;
  const lane = async (): Promise<void> => {
    for (const item of queue) {
      try {
        found.set(item.id, { ...item, digest: await digestOf(item.source) });
      } catch (error) {
        failed.set(item.id, { id: item.id, reason: error instanceof Error ? error.message : String(error) });
      }
      onProgress({ stage: 'digests', done: ++done, of: items.length });
    }
  };
  await Promise.all(Array.from({ length: DIGESTS_AT_ONCE }, lane));
  unreadable.push(...items.flatMap(({ id }) => failed.get(id) ?? []));
  return items.flatMap(({ id }) => found.get(id) ?? []);
}

/** The shards' indexes in their order; those made before are read. */
async function makeShards(options: ImportOptions, shards: readonly Shard[]): Promise<readonly ShardIndex[]> {
  const { out, shape, onProgress } = options;
  const found = new Map<string, ShardIndex>();
  for (const { key } of shards) {
    const index = await readShardIndex(out, key);
    if (index !== undefined) found.set(key, index);
  }
  const of = shards.reduce((sum, { items }) => sum + items.length, 0);
  let done = shards.reduce((sum, { key, items }) => sum + (found.has(key) ? items.length : 0), 0);
  onProgress({ stage: 'clips', done, of });
  const missing = shards.filter(({ key }) => !found.has(key));
  const queue = missing.values();
  const lane = async (): Promise<void> => {
    // Processes, not threads: media of strangers may bring a decoder down.
    const child = fork(join(import.meta.dirname, 'import-process.ts'));
    try {
      for (const shard of queue) {
        found.set(shard.key, await answerOf(child, { folder: out, shape, shard }));
        done += shard.items.length;
        onProgress({ stage: 'clips', done, of });
      }
    } finally {
      child.kill('SIGKILL');
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.workers, missing.length) }, lane));
  return shards.flatMap(({ key }) => found.get(key) ?? []);
}

function answerOf(child: ChildProcess, request: ShardRequest): Promise<ShardIndex> {
  const { promise, resolve, reject } = Promise.withResolvers<ShardIndex>();
  const onExit = (code: number | null, signal: string | null) => {
    const ids = request.shard.items.map(({ id }) => id);
    reject(new ImportError(`reading ended with ${signal ?? code}, at one of the clips ${ids[0]} to ${ids.at(-1)}`));
  };
  child.once('message', (index) => resolve(index as ShardIndex));
  child.once('exit', onExit);
  child.send(request);
  return promise.finally(() => child.removeAllListeners());
}

/** Files of earlier imports into the same folder, and what a killed one left half-written. */
async function removeOthers(out: string, shards: readonly Shard[]): Promise<void> {
  const own = new Set(shards.map(({ key }) => key));
  for (const name of await readdir(join(out, 'shards'))) {
    const key = name.split('.')[0] ?? '';
    if (!own.has(key) || name.endsWith('.part')) await rm(join(out, 'shards', name));
  }
}
