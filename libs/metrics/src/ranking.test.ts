import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { areaUnderCurve, averagePrecision } from './ranking.ts';

const clips = fc.array(fc.record({ score: fc.integer({ min: 0, max: 5 }), positive: fc.boolean() }), { maxLength: 20 });

function split(rows: readonly { score: number; positive: boolean }[]) {
  return { scores: rows.map((row) => row.score), positives: rows.map((row) => row.positive) };
}

test('average precision by hand', () => {
  // Ranks of the positives: 1, 3, 4.
  const label = { scores: [0.9, 0.8, 0.7, 0.6, 0.5], positives: [true, false, true, true, false] };
  assert.equal(averagePrecision(label), (1 / 1 + 2 / 3 + 3 / 4) / 3);
});

test('ties enter together: all equal scores give the share of positives, whatever the order', () => {
  assert.equal(averagePrecision({ scores: [1, 1, 1, 1], positives: [true, false, false, false] }), 0.25);
  assert.equal(averagePrecision({ scores: [1, 1, 1, 1], positives: [false, false, false, true] }), 0.25);
  assert.equal(areaUnderCurve({ scores: [1, 1, 1, 1], positives: [true, false, false, true] }), 0.5);
});

test('AUC equals the count over all pairs', () => {
  fc.assert(
    fc.property(clips, (rows) => {
      const positives = rows.filter((row) => row.positive);
      const negatives = rows.filter((row) => !row.positive);
      const wins = positives.flatMap((p) =>
        negatives.map((n) => (p.score > n.score ? 1 : p.score === n.score ? 0.5 : 0)),
      );
      const expected = wins.length === 0 ? undefined : wins.reduce<number>((sum, win) => sum + win, 0) / wins.length;
      const measured = areaUnderCurve(split(rows));
      if (expected === undefined || measured === undefined) assert.equal(measured, expected);
      else assert.ok(Math.abs(measured - expected) < 1e-12);
    }),
  );
});

test('both figures ignore the order of the clips', () => {
  fc.assert(
    fc.property(clips, (rows) => {
      const turned = rows.toReversed();
      assert.equal(averagePrecision(split(rows)), averagePrecision(split(turned)));
      assert.equal(areaUnderCurve(split(rows)), areaUnderCurve(split(turned)));
    }),
  );
});

test('a perfect ranking gives 1, and missing classes are undefined', () => {
  const perfect = { scores: [3, 2, 1], positives: [true, true, false] };
  assert.equal(averagePrecision(perfect), 1);
  assert.equal(areaUnderCurve(perfect), 1);
  assert.equal(averagePrecision({ scores: [1, 2], positives: [false, false] }), undefined);
  assert.equal(areaUnderCurve({ scores: [1, 2], positives: [false, false] }), undefined);
  assert.equal(averagePrecision({ scores: [1, 2], positives: [true, true] }), 1);
  assert.equal(areaUnderCurve({ scores: [1, 2], positives: [true, true] }), undefined);
});

test('NaN scores and unequal lengths are refused', () => {
  assert.throws(() => averagePrecision({ scores: [Number.NaN], positives: [true] }), /score 0 is not a number/);
  assert.throws(() => areaUnderCurve({ scores: [1], positives: [true, false] }), /1 scores but 2 truths/);
});
