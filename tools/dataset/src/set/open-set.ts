import type { Split, Stratum } from '../splits.ts';
import { checkGroupsApart } from './groups-apart.ts';
import { type NpyArray, readNpyRows } from './npy.ts';
import { readSetManifest, type SetClip, SetError, type SetManifest } from './set-manifest.ts';
import { shardFile } from './shards.ts';

/** The clips of one split, or of one stratum of it. */
export interface SetPart {
  readonly split: Split;
  readonly stratum?: Stratum;
}

/** Clips with their tensors, the first axis of each being the clips. Target vectors are 0/1 in the order of the set's labels. */
export interface SetBatch {
  /** Index of the first clip in the part. */
  readonly start: number;
  readonly size: number;
  readonly clips: readonly SetClip[];
  /** By name: `waveform` floats `[size, samples]` and `frames` bytes `[size, frames, 3, height, width]`, or features. */
  readonly tensors: Readonly<Record<string, NpyArray<Float32Array<ArrayBuffer> | Uint8Array<ArrayBuffer>>>>;
  /** `[size, labels]`. */
  readonly targets: Float32Array<ArrayBuffer>;
  readonly audioTargets: Float32Array<ArrayBuffer>;
  readonly visualTargets: Float32Array<ArrayBuffer>;
}

/** A batch of a set of media, laid out as composed examples are. */
export interface MediaBatch extends Omit<SetBatch, 'tensors'> {
  /** `[size, samples]`, amplitude in [-1, 1]. */
  readonly waveform: Float32Array<ArrayBuffer>;
  /** RGB bytes, `[size, frames, 3, height, width]`. */
  readonly frames: Uint8Array<ArrayBuffer>;
}

/** A built or imported set. */
export interface OpenSet {
  readonly manifest: SetManifest;
  /** The clips of a part, in the order of the manifest. */
  clips(part: SetPart): readonly SetClip[];
  /** Reads any clips of the set, in the order given. @throws Error when a shard's file is damaged. */
  read(clips: readonly SetClip[], start?: number): Promise<SetBatch>;
  readMedia(clips: readonly SetClip[], start?: number): Promise<MediaBatch>;
  /** Consecutive clips of a part; the last batch may be smaller. */
  batches(part: SetPart & { readonly batchSize: number }): AsyncGenerator<SetBatch, void, void>;
  /** @throws SetError when the set holds features. */
  mediaBatches(part: SetPart & { readonly batchSize: number }): AsyncGenerator<MediaBatch, void, void>;
}

/** @throws SetError when the folder holds no whole set, or one whose splits share a group. */
export async function openSet(folder: string): Promise<OpenSet> {
  const manifest = await readSetManifest(folder);
  checkGroupsApart(manifest.clips);
  const names = Object.keys(manifest.tensors);
  const places = new Map(manifest.labels.map((label, place) => [label, place]));

  const vectors = (clips: readonly SetClip[], of: (clip: SetClip) => readonly string[]) => {
    const all = new Float32Array(clips.length * manifest.labels.length);
    for (const [row, clip] of clips.entries()) {
      for (const label of of(clip)) all[row * manifest.labels.length + (places.get(label) ?? Number.NaN)] = 1;
    }
    return all;
  };
  const clips = ({ split, stratum }: SetPart) =>
    manifest.clips.filter((clip) => clip.split === split && (stratum === undefined || clip.stratum === stratum));
  const read = async (chosen: readonly SetClip[], start = 0): Promise<SetBatch> => ({
    start,
    size: chosen.length,
    clips: chosen,
    tensors: Object.fromEntries(
      await Promise.all(names.map(async (name) => [name, await readTensor(folder, name, chosen)] as const)),
    ),
    targets: vectors(chosen, ({ labels }) => labels),
    audioTargets: vectors(chosen, ({ heard }) => heard),
    visualTargets: vectors(chosen, ({ seen }) => seen),
  });
  const readMedia = async (chosen: readonly SetClip[], start = 0) => asMedia(folder, await read(chosen, start));
  return {
    manifest,
    clips,
    read,
    readMedia,
    batches: (part) => inBatches(clips(part), part.batchSize, read),
    mediaBatches: (part) => inBatches(clips(part), part.batchSize, readMedia),
  };
}

async function* inBatches<T>(
  clips: readonly SetClip[],
  batchSize: number,
  read: (clips: readonly SetClip[], start: number) => Promise<T>,
): AsyncGenerator<T, void, void> {
  if (!(Number.isInteger(batchSize) && batchSize > 0)) {
    throw new RangeError(`batchSize is ${batchSize}; expected at least 1`);
  }
  for (let start = 0; start < clips.length; start += batchSize) {
    yield await read(clips.slice(start, start + batchSize), start);
  }
}

/** Rows of one tensor, stacked in the order of the clips; each shard's file is opened once. */
async function readTensor(folder: string, name: string, clips: readonly SetClip[]) {
  const byShard = Map.groupBy(clips.entries(), ([, { shard }]) => shard);
  const parts = await Promise.all(
    [...byShard].map(async ([shard, own]) => {
      const rows = own.map(([, { row }]) => row);
      return { places: own.map(([place]) => place), array: await readNpyRows(shardFile(folder, shard, name), rows) };
    }),
  );
  const [first] = parts;
  if (first === undefined) throw new SetError('no clips to read; give at least one');
  if (parts.length === 1) return first.array;
  const each = first.array.data.length / first.places.length;
  const length = each * clips.length;
  const data = first.array.data instanceof Uint8Array ? new Uint8Array(length) : new Float32Array(length);
  for (const { places, array } of parts) {
    for (const [at, place] of places.entries()) data.set(array.data.subarray(at * each, (at + 1) * each), place * each);
  }
  return { dims: [clips.length, ...first.array.dims.slice(1)], data };
}

function asMedia(folder: string, { tensors, ...rest }: SetBatch): MediaBatch {
  const waveform = tensors.waveform?.data;
  const frames = tensors.frames?.data;
  if (!(waveform instanceof Float32Array && frames instanceof Uint8Array)) {
    throw new SetError(`${folder} holds ${Object.keys(tensors).join(' and ')}; a set of media is needed`);
  }
  return { ...rest, waveform, frames };
}
