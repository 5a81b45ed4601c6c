import type { victim } from '@faultline/contracts';

/** Share of the validation clips without a label that its threshold lets through. */
const FALSE_POSITIVE_RATE = 0.05;

export const OPERATING_POINT = `${100 * FALSE_POSITIVE_RATE} % false-positive rate of each label on validation clips (unseen sources)`;

/** Per-label thresholds, in logits, at the operating point. Logits and targets are `[clips, labels]`. */
export function thresholdsOf(
  labels: readonly string[],
  logits: Float32Array,
  targets: Float32Array,
): victim.LabelThreshold[] {
  return labels.map((label, column) => {
    const negatives = logits
      .filter((_, index) => index % labels.length === column && (targets[index] ?? 0) < 0.5)
      .sort();
    const passed = Math.floor(FALSE_POSITIVE_RATE * negatives.length);
    const [last, first] = [negatives[negatives.length - passed - 1], negatives[negatives.length - passed]];
    if (last === undefined || first === undefined) {
      throw new RangeError(`label "${label}" has ${negatives.length} negative clips; compose more validation clips`);
    }
    return { label, threshold: (last + first) / 2 };
  });
}

/** Standard deviation over clips and labels. */
export function spreadOf(logits: Float32Array): number {
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  return Math.sqrt(logits.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logits.length);
}
