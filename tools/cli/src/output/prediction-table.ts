import type { Prediction, Predictions } from '../clips/predictions.ts';
import { textColumn, textTable } from './text-table.ts';

/** Labels that a cell names; the rest are counted. */
const NAMED_LABELS = 3;

const LEGEND =
  'label +margin: active, its logit this far above the threshold; (label -margin): none is active, the nearest';

/** Clips by victims: the labels that are active, with their margins. */
export function predictionTable({ clips, victims }: Predictions): string[] {
  const labelled = clips.some(({ labels }) => labels.length > 0);
  const titles = ['clip', ...(labelled ? ['true labels'] : []), ...victims.map(({ victim }) => victim)];
  const rows = clips.map(({ clip, labels }, index) => [
    clip,
    ...(labelled ? [labels.join(', ') || '?'] : []),
    ...victims.map(({ predictions }) => cell(predictions[index])),
  ]);
  return [...textTable(titles.map(textColumn), rows), '', LEGEND];
}

function cell(prediction: Prediction | undefined): string {
  if (prediction === undefined) return '';
  const { active, labels } = prediction;
  const text = ({ label, margin }: Prediction['labels'][number]) => `${label} ${signed(margin)}`;
  const [nearest] = labels;
  if (active.length === 0) return nearest === undefined ? '-' : `(${text(nearest)})`;
  const named = labels.filter(({ label }) => active.includes(label)).slice(0, NAMED_LABELS);
  const more = active.length > NAMED_LABELS ? `, ${active.length - NAMED_LABELS} more` : '';
  return `${named.map(text).join(', ')}${more}`;
}

/** "+1.23", "-0.04" */
export const signed = (value: number): string => `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`;
