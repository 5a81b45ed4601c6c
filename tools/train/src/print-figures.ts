import type { victim } from '@faultline/contracts';

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A line a set: clean figures, and what is left when a modality is another clip's. */
export function figureLines(metrics: readonly victim.CleanMetrics[]): string[] {
  return metrics.map((entry) => {
    const { split, clips, meanAveragePrecision, areaUnderCurve, dPrime, styles } = entry;
    const { otherSoundPrecision: sound, otherPicturesPrecision: pictures } = entry;
    return [
      `  ${split} (${clips} clips): mAP ${percent(meanAveragePrecision)}`,
      `AUC ${areaUnderCurve.toFixed(3)}`,
      `d' ${dPrime.toFixed(2)}`,
      ...(sound === undefined ? [] : [`other sound ${percent(sound)}`]),
      ...(pictures === undefined ? [] : [`other pictures ${percent(pictures)}`]),
      ...styles.map((style) => `${style.style} ${percent(style.meanAveragePrecision)}`),
    ].join('  ');
  });
}

/** A line with all seeds and their spread. */
export function spreadLine({
  split,
  seeds,
  meanAveragePrecisions,
  mean,
  standardDeviation,
}: victim.SeedSpread): string {
  const each = seeds.map((seed, index) => `seed ${seed} ${percent(meanAveragePrecisions[index] ?? Number.NaN)}`);
  return `  ${split} over seeds: ${percent(mean)} +- ${percent(standardDeviation)} (${each.join(', ')})`;
}
