import type { victim } from '@faultline/contracts';
import type { FeatureSpec, VictimInput, VictimSpec } from '@faultline/fusion';
import { labelPrecisions, slicePrecisions } from '@faultline/metrics';
import type { Model } from '@faultline/onnx';
import { figuresOf, inputsOf, type LabelledSet, logitsOf } from './labelled-set.ts';
import type { MeasuringSets } from './measuring-sets.ts';
import { OPERATING_POINT, spreadOf, thresholdsOf } from './operating-point.ts';
import type { Measured } from './write-victim.ts';

/** Thresholds, scale and clean figures of a victim, the latter on every set. */
export async function measure(
  model: Model | Uint8Array,
  spec: VictimSpec | FeatureSpec,
  { validation, tests, shipped }: MeasuringSets,
  threads: number,
): Promise<Measured> {
  const logits = await logitsOf(model, spec, validation, { threads });
  const figures = async (split: string, set: LabelledSet) =>
    cleanMetrics(split, set, await logitsOf(model, spec, set, { threads }));
  const metrics = [cleanMetrics('validation', validation, logits)];
  for (const [split, set] of tests) {
    metrics.push({ ...(await figures(split, set)), ...(await swappedPrecisions(model, spec, set, threads)) });
  }
  for (const [split, set] of shipped) metrics.push(await figures(split, set));
  const labels = thresholdsOf(validation.labels, logits, validation.targets);
  return { labels, operatingPoint: OPERATING_POINT, logitScale: spreadOf(logits), metrics };
}

function cleanMetrics(split: string, set: LabelledSet, logits: Float32Array): victim.CleanMetrics {
  const { clips, meanAveragePrecision, areaUnderCurve, dPrime } = figuresOf(set, logits);
  if (meanAveragePrecision === null || areaUnderCurve === null || dPrime === null) {
    throw new RangeError(`the ${split} set of ${clips} clips defines no ranking figures; give more clips`);
  }
  const scored = { labels: set.labels.length, scores: logits, targets: set.targets };
  return {
    split,
    clips,
    meanAveragePrecision,
    areaUnderCurve,
    dPrime,
    labels: labelPrecisions(scored).map(({ positives, averagePrecision }, index) => ({
      label: set.labels[index] ?? '',
      positives,
      averagePrecision: averagePrecision ?? undefined,
    })),
    styles: slicePrecisions(scored, set.styles).map(({ name: style, ...figures }) => ({ style, ...figures })),
  };
}

/** Where a card tells the mAP with another clip's sound, or pictures. */
const SWAPPED = {
  audio: 'otherSoundPrecision',
  visual: 'otherPicturesPrecision',
} as const satisfies Readonly<Record<VictimInput['modality'], keyof victim.CleanMetrics>>;

type SwappedFigures = Pick<victim.CleanMetrics, (typeof SWAPPED)[VictimInput['modality']]>;

/** The mAP of a victim when one of its modalities is another clip's. */
export async function swappedPrecisions(
  model: Model | Uint8Array,
  spec: VictimSpec | FeatureSpec,
  set: LabelledSet,
  threads: number,
): Promise<SwappedFigures> {
  const found: SwappedFigures = {};
  for (const { modality } of inputsOf(spec)) {
    const figures = figuresOf(set, await logitsOf(model, spec, set, { threads, swap: modality }));
    found[SWAPPED[modality]] = figures.meanAveragePrecision ?? undefined;
  }
  return found;
}
