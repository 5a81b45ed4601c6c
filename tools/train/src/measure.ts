import type { victim } from '@faultline/contracts';
import { LABELS } from '@faultline/dataset';
import { VICTIM_SPECS, type VictimName, type Weights } from '@faultline/fusion';
import { exportedModel, figuresOf, type LabelledSet, logitsOf, type Swap } from './labelled-set.ts';
import { OPERATING_POINT, spreadOf, thresholdsOf } from './operating-point.ts';
import type { Measured } from './write-victim.ts';

const SWAPS: readonly Swap[] = ['none', 'audio', 'frames'];

/** Sets to measure on: thresholds come from the first alone. */
export interface MeasuringSets {
  readonly validation: LabelledSet;
  readonly test: LabelledSet;
}

export interface Measurement {
  readonly measured: Omit<Measured, 'provenance'>;
  /** mAP on the test set when nothing, the sound or the pictures come from another clip. */
  readonly swapped: Readonly<Record<Swap, number>>;
}

/** Thresholds, scale and clean figures of a victim, and what it loses when either modality is another clip's. */
export async function measure(
  name: VictimName,
  weights: Weights,
  { validation, test }: MeasuringSets,
  threads: number,
): Promise<Measurement> {
  const spec = VICTIM_SPECS[name];
  const model = exportedModel(spec, weights);
  const logits = await logitsOf(model, spec, validation, { threads });
  const swapped = { none: 0, audio: 0, frames: 0 };
  const metrics = [cleanMetrics('validation', validation, logits)];
  for (const swap of SWAPS) {
    const scores = await logitsOf(model, spec, test, { threads, swap });
    swapped[swap] = figuresOf(test, scores).meanAveragePrecision ?? 0;
    if (swap === 'none') metrics.push(cleanMetrics('test', test, scores));
  }
  return {
    measured: {
      labels: thresholdsOf(LABELS, logits, validation.targets),
      operatingPoint: OPERATING_POINT,
      logitScale: spreadOf(logits),
      metrics,
    },
    swapped,
  };
}

function cleanMetrics(split: string, set: LabelledSet, logits: Float32Array): victim.CleanMetrics {
  const { clips, meanAveragePrecision, areaUnderCurve, dPrime } = figuresOf(set, logits);
  if (meanAveragePrecision === null || areaUnderCurve === null || dPrime === null) {
    throw new RangeError(`the ${split} set of ${clips} clips defines no ranking figures; compose more clips`);
  }
  return { split, clips, meanAveragePrecision, areaUnderCurve, dPrime };
}
