import { type ExampleBatch, exampleStream, type Split } from '@faultline/dataset';
import type { VictimSpec, Weights } from '@faultline/fusion';
import { buildVictim } from '@faultline/fusion';
import { type RankingFigures, rankingFigures } from '@faultline/metrics';
import { float32, type Model, modelOf } from '@faultline/onnx';
import { float32Data, Session, toOrt } from '@faultline/ort';

const BATCH = 32;

/** Composed clips of one split, kept in memory. */
export interface LabelledSet {
  readonly labels: number;
  readonly batches: readonly ExampleBatch[];
  /** `[clips, labels]`. */
  readonly targets: Float32Array;
}

export async function loadSet(packDir: string, split: Split, count: number, seed: number): Promise<LabelledSet> {
  const batches: ExampleBatch[] = [];
  for await (const batch of exampleStream({ packDir, split, seed, batchSize: BATCH, count })) batches.push(batch);
  const targets = Float32Array.from(batches.flatMap((batch) => [...batch.targets]));
  return { labels: targets.length / count, batches, targets };
}

/** Which modality, if any, comes from the next clip of the batch instead: what a victim loses shows what it listens to. */
export type Swap = 'none' | 'audio' | 'frames';

/** Logits of a set, `[clips, labels]`. */
export async function logitsOf(
  model: Model | Uint8Array,
  spec: VictimSpec,
  set: LabelledSet,
  options: { readonly threads: number; readonly swap?: Swap },
): Promise<Float32Array> {
  await using session = await Session.create(model, { threads: options.threads });
  const video = spec.frames;
  const logits = new Float32Array(set.targets.length);
  for (const batch of set.batches) {
    const waveform = options.swap === 'audio' ? rolled(batch.waveform, batch.size) : batch.waveform;
    const bytes = options.swap === 'frames' ? rolled(batch.frames, batch.size) : batch.frames;
    const results = await session.run({
      waveform: toOrt(float32(waveform, [batch.size, spec.waveform.samples])),
      frames: toOrt(
        float32(
          Float32Array.from(bytes, (value) => value / 255),
          [batch.size, video.frames, 3, video.height, video.width],
        ),
      ),
    });
    const { logits: output } = results;
    if (output === undefined) throw new Error('the victim made no logits');
    logits.set(float32Data(output), batch.start * set.labels);
  }
  return logits;
}

/** Rows moved down by one, the last first. */
function rolled<T extends Float32Array | Uint8Array>(rows: T, count: number): T {
  const each = rows.length / count;
  const moved = rows.slice() as T;
  moved.set(rows.subarray(0, rows.length - each), each);
  moved.set(rows.subarray(rows.length - each), 0);
  return moved;
}

export const figuresOf = (set: LabelledSet, logits: Float32Array): RankingFigures =>
  rankingFigures({ labels: set.labels, scores: logits, targets: set.targets });

export const exportedModel = (spec: VictimSpec, weights: Weights): Model =>
  modelOf(buildVictim(spec, { kind: 'export', weights }).graph);
