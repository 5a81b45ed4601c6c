import type { victim } from '@faultline/contracts';
import { LABELS } from '@faultline/dataset';
import type { VictimSpec } from '@faultline/fusion';
import type { Model } from '@faultline/onnx';
import {
  figuresOf,
  type LabelledSet,
  loadSet,
  logitsOf,
  type SwappedPrecision,
  swappedPrecision,
} from './labelled-set.ts';
import { OPERATING_POINT, spreadOf, thresholdsOf } from './operating-point.ts';
import { loadShippedClips, STRATA } from './shipped-clips.ts';
import type { Measured } from './write-victim.ts';

const VALIDATION_CLIPS = 960;
const TEST_CLIPS = 960;
/** Apart from the training seeds, so that every victim is measured on the same clips. */
const MEASURING_SEED = 20_001;

/** Sets to measure on. Thresholds come from `validation` alone; the shipped clips are left out where there are none. */
export interface MeasuringSets {
  readonly validation: LabelledSet;
  /** Composed from sources of the test split. */
  readonly test: LabelledSet;
  /** Shipped clips by the name that the card gives them. */
  readonly clips: ReadonlyMap<string, LabelledSet>;
}

export async function loadMeasuringSets(packDir: string, clipsDir: string, spec: VictimSpec): Promise<MeasuringSets> {
  const clips = new Map<string, LabelledSet>();
  for (const stratum of STRATA) clips.set(`clips-${stratum}`, await loadShippedClips(clipsDir, stratum, spec));
  return {
    validation: await loadSet(packDir, 'validation', VALIDATION_CLIPS, MEASURING_SEED),
    test: await loadSet(packDir, 'test', TEST_CLIPS, MEASURING_SEED),
    clips,
  };
}

export interface Measurement {
  readonly measured: Measured;
  /** On the test set. */
  readonly swapped: SwappedPrecision;
}

/** Thresholds, scale and clean figures of a victim, and what it loses when either modality is another clip's. */
export async function measure(
  model: Model | Uint8Array,
  spec: VictimSpec,
  sets: MeasuringSets,
  threads: number,
): Promise<Measurement> {
  const { validation, test, clips } = sets;
  const logits = await logitsOf(model, spec, validation, { threads });
  const metrics = [cleanMetrics('validation', validation, logits)];
  for (const [split, set] of [['test', test] as const, ...clips]) {
    metrics.push(cleanMetrics(split, set, await logitsOf(model, spec, set, { threads })));
  }
  const labels = thresholdsOf(LABELS, logits, validation.targets);
  return {
    measured: { labels, operatingPoint: OPERATING_POINT, logitScale: spreadOf(logits), metrics },
    swapped: await swappedPrecision(model, spec, test, threads),
  };
}

function cleanMetrics(split: string, set: LabelledSet, logits: Float32Array): victim.CleanMetrics {
  const { clips, meanAveragePrecision, areaUnderCurve, dPrime } = figuresOf(set, logits);
  if (meanAveragePrecision === null || areaUnderCurve === null || dPrime === null) {
    throw new RangeError(`the ${split} set of ${clips} clips defines no ranking figures; compose more clips`);
  }
  return { split, clips, meanAveragePrecision, areaUnderCurve, dPrime };
}
