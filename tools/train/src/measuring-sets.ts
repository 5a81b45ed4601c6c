import { LABELS, type OpenSet, type SetBatch, type SetPart } from '@faultline/dataset';
import type { FeatureSpec, VictimSpec } from '@faultline/fusion';
import type { LabelledSet } from './labelled-set.ts';
import { loadShippedClips, STRATA } from './shipped-clips.ts';

const BATCH = 32;

/** Sets to measure on. Thresholds and the choice of weights come from `validation` alone. */
export interface MeasuringSets {
  readonly validation: LabelledSet;
  /** The set's test clips, by the name that the card gives each stratum. */
  readonly tests: ReadonlyMap<string, LabelledSet>;
  /** The shipped clips likewise. */
  readonly shipped: ReadonlyMap<string, LabelledSet>;
}

/**
 * The validation and test clips of a set, and the shipped clips where it has their labels.
 * @throws RangeError when the set has no validation or no test clips.
 */
export async function loadMeasuringSets(
  set: OpenSet,
  clipsDir: string,
  spec: VictimSpec | FeatureSpec,
): Promise<MeasuringSets> {
  const tests = new Map<string, LabelledSet>();
  const shipped = new Map<string, LabelledSet>();
  const strata = new Set(set.clips({ split: 'test' }).map(({ stratum }) => stratum));
  for (const stratum of strata) {
    const part: SetPart = { split: 'test', ...(stratum === null ? {} : { stratum }) };
    tests.set(stratum === null ? 'test' : `test-${stratum}`, await loadPart(set, part));
  }
  if (tests.size === 0) throw new RangeError('the set has no test clips; build or import it with some');
  if ('waveform' in spec && set.manifest.labels.join() === LABELS.join()) {
    for (const stratum of STRATA) shipped.set(`clips-${stratum}`, await loadShippedClips(clipsDir, stratum, spec));
  }
  return { validation: await loadPart(set, { split: 'validation' }), tests, shipped };
}

async function loadPart(set: OpenSet, part: SetPart): Promise<LabelledSet> {
  const batches: SetBatch[] = [];
  for await (const batch of set.batches({ ...part, batchSize: BATCH })) batches.push(batch);
  if (batches.length === 0) throw new RangeError(`the set has no ${part.split} clips; build or import it with some`);
  return {
    labels: set.manifest.labels,
    batches: batches.map((batch) => ({ start: batch.start, size: batch.size, inputs: inputsIn(batch) })),
    targets: Float32Array.from(batches.flatMap(({ targets }) => [...targets])),
    styles: batches.flatMap(({ clips }) => clips.map(({ styles }) => styles)),
  };
}

/** The victims' inputs by the names that a set's tensors have. */
const INPUT_OF: Readonly<Record<string, string>> = { audio: 'log-mel', video: 'frame-features' };

/** A batch's tensors by the names of the victims' inputs. */
export const inputsIn = ({ tensors }: SetBatch): Readonly<Record<string, Float32Array | Uint8Array>> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [INPUT_OF[name] ?? name, data]));
