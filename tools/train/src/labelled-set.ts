import { type ExampleBatch, exampleStream, type Split } from '@faultline/dataset';
import type { VictimSpec, Weights } from '@faultline/fusion';
import { buildVictim } from '@faultline/fusion';
import { type RankingFigures, rankingFigures } from '@faultline/metrics';
import { float32, type Model, modelOf } from '@faultline/onnx';
import { float32Data, Session, toOrt } from '@faultline/ort';

const BATCH = 32;

/** Consecutive clips of a set. */
export interface LabelledBatch {
  /** Index of the first clip. */
  readonly start: number;
  readonly size: number;
  /** `[size, samples]`. */
  readonly waveform: Float32Array;
  /** Bytes, `[size, frames, 3, height, width]`. */
  readonly frames: Uint8Array;
}

/** Labelled clips, kept in memory. */
export interface LabelledSet {
  readonly labels: number;
  readonly batches: readonly LabelledBatch[];
  /** `[clips, labels]`. */
  readonly targets: Float32Array;
}

/** Composes clips of one split, without augmentation. */
export async function loadSet(packDir: string, split: Split, count: number, seed: number): Promise<LabelledSet> {
  const batches: ExampleBatch[] = [];
  for await (const batch of exampleStream({ packDir, split, seed, batchSize: BATCH, count })) batches.push(batch);
  const targets = Float32Array.from(batches.flatMap((batch) => [...batch.targets]));
  return { labels: targets.length / count, batches, targets };
}

/** Which modality, if any, comes from another clip: what a victim loses shows what it listens to. */
export type Swap = 'none' | 'audio' | 'frames';

/** Logits of a set, `[clips, labels]`. A swapped modality is that of the clip before, the last one's for the first. */
export async function logitsOf(
  model: Model | Uint8Array,
  spec: VictimSpec,
  set: LabelledSet,
  options: { readonly threads: number; readonly swap?: Swap },
): Promise<Float32Array> {
  await using session = await Session.create(model, { threads: options.threads });
  const { swap = 'none' } = options;
  const video = spec.frames;
  const logits = new Float32Array(set.targets.length);
  for (const [index, batch] of set.batches.entries()) {
    const other = set.batches.at(index - 1) ?? batch;
    const waveform = swap === 'audio' ? moved(batch.waveform, batch.size, other.waveform, other.size) : batch.waveform;
    const bytes = swap === 'frames' ? moved(batch.frames, batch.size, other.frames, other.size) : batch.frames;
    const frames = Float32Array.from(bytes, (value) => value / 255);
    const results = await session.run({
      waveform: toOrt(float32(waveform, [batch.size, spec.waveform.samples])),
      frames: toOrt(float32(frames, [batch.size, video.frames, 3, video.height, video.width])),
    });
    const { logits: output } = results;
    if (output === undefined) throw new Error('the victim made no logits');
    logits.set(float32Data(output), batch.start * set.labels);
  }
  return logits;
}

/** Rows moved down by one; the first becomes the last row of the batch before. */
function moved<T extends Float32Array | Uint8Array>(rows: T, count: number, before: T, beforeCount: number): T {
  const each = rows.length / count;
  const result = rows.slice() as T;
  result.set(rows.subarray(0, rows.length - each), each);
  result.set(before.subarray((beforeCount - 1) * each), 0);
  return result;
}

/** The first batches of a set, for a quick look. */
export function firstBatches(set: LabelledSet, count: number): LabelledSet {
  const batches = set.batches.slice(0, count);
  const clips = batches.reduce((sum, { size }) => sum + size, 0);
  return { labels: set.labels, batches, targets: set.targets.subarray(0, clips * set.labels) };
}

/** Ranking figures of a set's logits. */
export const figuresOf = (set: LabelledSet, logits: Float32Array): RankingFigures =>
  rankingFigures({ labels: set.labels, scores: logits, targets: set.targets });

/** mAP when nothing, the sound or the pictures come from another clip. */
export type SwappedPrecision = Readonly<Record<Swap, number>>;

/** What a victim loses when either modality is another clip's: a victim that fuses loses with both. */
export async function swappedPrecision(
  model: Model | Uint8Array,
  spec: VictimSpec,
  set: LabelledSet,
  threads: number,
): Promise<SwappedPrecision> {
  const precision = async (swap: Swap) =>
    figuresOf(set, await logitsOf(model, spec, set, { threads, swap })).meanAveragePrecision ?? 0;
  return { none: await precision('none'), audio: await precision('audio'), frames: await precision('frames') };
}

/** The victim as it ships. */
export const exportedModel = (spec: VictimSpec, weights: Weights): Model =>
  modelOf(buildVictim(spec, { kind: 'export', weights }).graph);
