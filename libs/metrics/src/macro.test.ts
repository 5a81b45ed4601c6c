import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dPrime, rankingFigures } from './macro.ts';

test('macro figures by hand', () => {
  // Label 0 ranks perfectly; label 1 ranks its positive second of three.
  const figures = rankingFigures({
    labels: 2,
    scores: [5, 3, 1, 2, 0, 1],
    targets: [1, 0, 0, 1, 0, 0],
  });
  assert.equal(figures.clips, 3);
  assert.equal(figures.meanAveragePrecision, (1 + 1 / 2) / 2);
  assert.equal(figures.areaUnderCurve, (1 + 1 / 2) / 2);
  assert.ok(Math.abs((figures.dPrime ?? 0) - Math.SQRT2 * 0.6744897501960817) < 1e-12);
  assert.equal(figures.dPrimeBounded, false);
  assert.deepEqual(figures.undefinedLabels, []);
});

test('labels without positives or without negatives are reported', () => {
  const figures = rankingFigures({ labels: 3, scores: [1, 9, 2, 0, 8, 1], targets: [1, 0, 1, 0, 0, 1] });
  assert.deepEqual(figures.undefinedLabels, [
    { label: 1, reason: 'no positive clip' },
    { label: 2, reason: 'no negative clip' },
  ]);
  assert.equal(figures.meanAveragePrecision, 1);
  assert.equal(figures.areaUnderCurve, 1);
});

test('nothing defined gives null, not zero', () => {
  const figures = rankingFigures({ labels: 1, scores: [1, 2], targets: [0, 0] });
  assert.equal(figures.meanAveragePrecision, null);
  assert.equal(figures.areaUnderCurve, null);
  assert.equal(figures.dPrime, null);
});

test('at AUC = 1 the set size bounds d prime', () => {
  const four = dPrime(1, 4);
  assert.equal(four.bounded, true);
  assert.ok(Math.abs(four.dPrime - Math.SQRT2 * 1.1503493803760079) < 1e-12);
  assert.ok(dPrime(1, 100).dPrime > four.dPrime);
  assert.equal(dPrime(0, 4).dPrime, -four.dPrime);
  assert.deepEqual(dPrime(0.5, 4), { dPrime: 0, bounded: false });
});

test('sizes that disagree are refused', () => {
  assert.throws(() => rankingFigures({ labels: 2, scores: [1, 2, 3], targets: [1, 0, 0] }), /not rows of 2 labels/);
});
