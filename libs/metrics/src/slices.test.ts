import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rankingFigures } from './macro.ts';
import { labelPrecisions, slicePrecisions } from './slices.ts';

// Label 0 is ranked perfectly, label 1 with its only positive second of four, label 2 has no positive.
const set = {
  labels: 3,
  scores: [3, 4, 0, 2, 3, 0, 1, 2, 0, 0, 1, 0],
  targets: [1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0],
};

test('each label has its own precision, and their mean is the macro figure', () => {
  const labels = labelPrecisions(set);
  assert.deepEqual(labels, [
    { positives: 2, averagePrecision: 1 },
    { positives: 1, averagePrecision: 0.5 },
    { positives: 0, averagePrecision: null },
  ]);
  assert.equal(rankingFigures(set).meanAveragePrecision, 0.75);
});

test('clips of one kind are ranked among themselves; mixed ones and those of no kind are left out', () => {
  assert.deepEqual(slicePrecisions(set, [['photo'], ['photo'], ['emoji'], ['photo', 'emoji']]), [
    { name: 'photo', clips: 2, meanAveragePrecision: 0.75 },
  ]);
  assert.deepEqual(slicePrecisions(set, [['photo'], ['drawing'], ['drawing'], []]), [
    { name: 'drawing', clips: 2, meanAveragePrecision: 1 },
    { name: 'photo', clips: 1, meanAveragePrecision: 1 },
  ]);
  assert.throws(() => slicePrecisions(set, [['photo']]), /kinds of 1 clips, but scores of 4/);
});
