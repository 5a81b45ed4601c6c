import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { finishSet } from '../set/finish-set.ts';
import { makeShards, type ShardMaker } from '../set/make-shards.ts';
import type { MediaShape } from '../set/media-shape.ts';
import type { OnProgress } from '../set/progress.ts';
import { type SetClip, SetError, type SetManifest } from '../set/set-manifest.ts';
import { type LeftOut, planShards, type ShardIndex } from '../set/shards.ts';
import { observedWeaknesses } from '../set/weaknesses.ts';
import { SPLITS, type Split } from '../splits.ts';
import { type Grouped, type SplitShares, splitByGroup } from './group-splits.ts';
import type { ImportItem } from './import-item.ts';
import type { ShardItem, ShardRequest } from './import-process.ts';
import { digestOf } from './read-clip.ts';

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
  readonly onProgress: OnProgress;
}

const DIGESTS_AT_ONCE = 8;

/**
 * Imports a listing: reads every clip into shards of .npy files, and writes `manifest.json`, `DATA-CARD.md` and
 * `contact-sheet.png`. A pure function of the clips' data, listing, seed and shape: run again, it reads only what changed or was not
 * finished, and gives the same bytes.
 * @throws SetError when no clip can be read, media and features are mixed, or splits share a group.
 */
export async function importSet(options: ImportOptions): Promise<SetManifest> {
  const { items, out, shape } = options;
  const [kind, otherKind] = new Set(items.map(({ source }) => source.kind));
  if (kind === undefined || otherKind !== undefined) {
    throw new SetError('the listing mixes media and features; import them as two sets');
  }
  const unreadable: LeftOut[] = [];
  const known = await digests(options, unreadable);
  const { splits, groups } = splitByGroup(known, options.shares, options.seed);
  const shards = SPLITS.flatMap((split) => {
    const own = known.filter(({ id }) => splits.get(id) === split);
    const requested = own.map(({ id, source, digest }): ShardItem => ({ id, source, digest }));
    return planShards(split, requested, (chosen) => [shape, chosen.map(({ id, digest }) => [id, digest])]);
  });
  const indexes = await makeShards({ ...options, shards }, () => processMaker(out, shape));

  const byId = new Map(known.map((item) => [item.id, item]));
  const clips = shards.flatMap(({ key }, at) =>
    (indexes[at]?.clips ?? []).flatMap(({ id }, row): SetClip[] => {
      const item = byId.get(id);
      const split = splits.get(id);
      if (item === undefined || split === undefined) return [];
      return [clipOf(item, split, groups.get(id) ?? item.group, { shard: key, row })];
    }),
  );
  const leftOut = [...unreadable, ...indexes.flatMap((index) => index.leftOut)];
  if (clips.length === 0) {
    throw new SetError(`no clip could be read; the first: ${leftOut[0]?.id}: ${leftOut[0]?.reason}`);
  }
  const manifest: SetManifest = {
    name: options.name,
    kind,
    labels: [...new Set(clips.flatMap(({ labels }) => labels))].sort(),
    tensors: indexes.find(({ clips: read }) => read.length > 0)?.tensors ?? {},
    shape: kind === 'media' ? shape : null,
    seed: options.seed,
    clips,
    leftOut,
  };
  await finishSet(out, manifest, [...groupingWeaknesses(items), ...observedWeaknesses(indexes)]);
  return manifest;
}

function clipOf(item: Known, split: Split, group: string, place: Pick<SetClip, 'shard' | 'row'>): SetClip {
  const { id, labels, digest: sha256, licence, attribution, style } = item;
  return {
    id,
    split,
    stratum: split === 'test' ? 'unseen' : null,
    labels,
    heard: labels,
    seen: labels,
    events: labels.map((label) => ({ label, groups: [group], styles: [style] })),
    kind: null,
    followsSound: null,
    groups: [group],
    sceneryGroups: [],
    sources: [],
    styles: [style],
    licence,
    licenceFamilies: [],
    attribution: [attribution],
    sha256,
    ...place,
  };
}

function groupingWeaknesses(items: readonly ImportItem[]): string[] {
  const ungrouped = items.filter(({ groupGiven }) => !groupGiven).length;
  if (ungrouped === 0) return [];
  return [
    `${ungrouped} clip(s) have no group in the listing and count as groups of their own: related recordings may be in two splits.`,
  ];
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

/** Processes, not threads: media of strangers may bring a decoder down. */
function processMaker(folder: string, shape: MediaShape): ShardMaker<ShardItem> {
  const child = fork(join(import.meta.dirname, 'import-process.ts'));
  return {
    make: (shard) => answerOf(child, { folder, shape, shard }),
    close: async () => {
      child.kill('SIGKILL');
    },
  };
}

function answerOf(child: ChildProcess, request: ShardRequest): Promise<ShardIndex> {
  const { promise, resolve, reject } = Promise.withResolvers<ShardIndex>();
  const onExit = (code: number | null, signal: string | null) => {
    const ids = request.shard.items.map(({ id }) => id);
    reject(new SetError(`reading ended with ${signal ?? code}, at one of the clips ${ids[0]} to ${ids.at(-1)}`));
  };
  child.once('message', (index) => resolve(index as ShardIndex));
  child.once('exit', onExit);
  child.send(request);
  return promise.finally(() => child.removeAllListeners());
}
