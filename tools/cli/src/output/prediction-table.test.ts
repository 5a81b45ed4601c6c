import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Prediction } from '../clips/predictions.ts';
import { predictionTable } from './prediction-table.ts';

/** A prediction with these margins over thresholds of 0. */
function prediction(clip: string, margins: Readonly<Record<string, number>>): Prediction {
  const labels = Object.entries(margins)
    .map(([label, margin]) => ({ label, logit: margin, threshold: 0, margin }))
    .sort((a, b) => b.margin - a.margin);
  return { clip, labels, active: labels.filter(({ margin }) => margin >= 0).map(({ label }) => label) };
}

const table = (predictions: readonly Prediction[], labels: string[] = []) =>
  predictionTable({
    clips: predictions.map(({ clip }) => ({ clip, sha256: '', labels })),
    victims: [{ victim: 'late', modelSha256: '', predictions }],
  });

test('active labels with margins, the nearest where none is, and no more than three', () => {
  const lines = table([
    prediction('a', { dog: 1.234, bird: -1 }),
    prediction('b', { dog: -0.5, bird: -1 }),
    prediction('c', { dog: 4, bird: 3, horse: 2, drum: 1, water: 0 }),
  ]);
  assert.deepEqual(lines.slice(0, 4), [
    'clip  late',
    'a     dog +1.23',
    'b     (dog -0.50)',
    'c     dog +4.00, bird +3.00, horse +2.00, 2 more',
  ]);
});

test('true labels are a column where a clip has any', () => {
  assert.equal(table([prediction('a', { dog: 1 })], ['bird'])[1], 'a     bird         dog +1.00');
});
