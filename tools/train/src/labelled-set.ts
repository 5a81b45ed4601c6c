import { buildVictim, type FeatureSpec, type VictimInput, type VictimSpec, type Weights } from '@faultline/fusion';
import { type RankingFigures, rankingFigures } from '@faultline/metrics';
import { float32, type Model, modelOf } from '@faultline/onnx';
import { type Feeds, float32Data, Session, toOrt } from '@faultline/ort';

/** Consecutive clips of a set. */
export interface LabelledBatch {
  /** Index of the first clip. */
  readonly start: number;
  readonly size: number;
  /** By input, `[size, ...]`; bytes stand for pixels x 255. */
  readonly inputs: Readonly<Record<string, Float32Array | Uint8Array>>;
}

/** Labelled clips, kept in memory. */
export interface LabelledSet {
  /** In the order of the targets. */
  readonly labels: readonly string[];
  readonly batches: readonly LabelledBatch[];
  /** `[clips, labels]`: all that is heard or seen. */
  readonly targets: Float32Array;
  /** Of each clip, the styles of its pictures. */
  readonly styles: readonly (readonly string[])[];
}

/** Which modality, if any, comes from another clip: what a victim loses shows what it listens to. */
export type Swap = 'none' | VictimInput['modality'];

/** Logits of a set, `[clips, labels]`. A swapped modality is that of the clip before, the last one's for the first. */
export async function logitsOf(
  model: Model | Uint8Array,
  spec: VictimSpec | FeatureSpec,
  set: LabelledSet,
  options: { readonly threads: number; readonly swap?: Swap },
): Promise<Float32Array> {
  await using session = await Session.create(model, { threads: options.threads });
  const { swap = 'none' } = options;
  const inputs = inputsOf(spec);
  const logits = new Float32Array(set.targets.length);
  for (const [index, batch] of set.batches.entries()) {
    const other = set.batches.at(index - 1) ?? batch;
    const feeds = inputs.map(({ name, modality, dims }) => {
      const own = valuesOf(batch, name);
      const values = swap === modality ? moved(own, batch.size, valuesOf(other, name), other.size) : own;
      return [name, toOrt(float32(asFloats(values), [batch.size, ...dims]))] as const;
    });
    const results = await session.run(Object.fromEntries(feeds));
    const { logits: output } = results;
    if (output === undefined) throw new Error('the victim made no logits');
    logits.set(float32Data(output), batch.start * set.labels.length);
  }
  return logits;
}

/** Clips as a victim takes them. */
export const feedsOf = (batch: LabelledBatch, inputs: readonly VictimInput[]): Feeds =>
  Object.fromEntries(
    inputs.map(({ name, dims }) => [name, toOrt(float32(asFloats(valuesOf(batch, name)), [batch.size, ...dims]))]),
  );

/** What a victim hears and sees. */
export const inputsOf = (spec: VictimSpec | FeatureSpec): readonly VictimInput[] =>
  buildVictim(spec, { kind: 'evaluation' }).inputs;

type Values = Float32Array | Uint8Array;

function valuesOf(batch: LabelledBatch, name: string): Values {
  const values = batch.inputs[name];
  if (values === undefined) throw new RangeError(`the set holds no '${name}', an input of the victim`);
  return values;
}

const asFloats = (values: Values): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values, (value) => value / 255);

/** Rows moved down by one; the first becomes the last row of the batch before. */
function moved(rows: Values, count: number, before: Values, beforeCount: number): Values {
  const each = rows.length / count;
  const result = rows.slice();
  result.set(rows.subarray(0, rows.length - each), each);
  result.set(before.subarray((beforeCount - 1) * each), 0);
  return result;
}

/** Ranking figures of a set's logits. */
export const figuresOf = (set: LabelledSet, logits: Float32Array): RankingFigures =>
  rankingFigures({ labels: set.labels.length, scores: logits, targets: set.targets });

/** The victim as it ships. */
export const exportedModel = (spec: VictimSpec | FeatureSpec, weights: Weights): Model =>
  modelOf(buildVictim(spec, { kind: 'export', weights }).graph);
