import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ladderCensoring, medianCritical, robustAccuracy, robustnessScore } from './critical.ts';

const criticals = fc.array(fc.option(fc.integer({ min: 0, max: 10 })), { minLength: 1, maxLength: 30 });

test('figures by hand', () => {
  const clips = [0, 1, 2, null];
  assert.equal(robustAccuracy(clips, 0), 0.75);
  assert.equal(robustAccuracy(clips, 1), 0.5);
  assert.equal(robustAccuracy(clips, 1.5), 0.5);
  assert.equal(robustAccuracy(clips, 2), 0.25);
  assert.equal(medianCritical(clips), 1);
  assert.equal(robustnessScore(clips, 4), (0 + 1 + 2 + 4) / 16);
});

test('the median is censored, never imputed', () => {
  assert.equal(medianCritical([1, null, null]), null);
  assert.equal(medianCritical([1, 2, null]), 2);
  assert.equal(medianCritical([1, null]), 1);
  assert.equal(medianCritical([null]), null);
});

test('the score is the integral of the curve', () => {
  fc.assert(
    fc.property(criticals, (clips) => {
      const limit = 10;
      // RA is constant between integers here, so the integral is a plain sum of its left values.
      let integral = 0;
      for (let epsilon = 0; epsilon < limit; epsilon += 1) integral += robustAccuracy(clips, epsilon);
      assert.ok(Math.abs(robustnessScore(clips, limit) - integral / limit) < 1e-12);
    }),
  );
});

test('the median is where the curve passes one half', () => {
  fc.assert(
    fc.property(criticals, (clips) => {
      const median = medianCritical(clips);
      if (median === null) return assert.ok(robustAccuracy(clips, 10) > 0.5);
      assert.ok(robustAccuracy(clips, median) <= 0.5);
      if (median > 0) assert.ok(robustAccuracy(clips, median - 0.5) > 0.5);
    }),
  );
});

test('censoring says at which end', () => {
  const spread = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  assert.equal(ladderCensoring(spread, [1, 5, 9]), 'none');
  assert.equal(ladderCensoring(spread, [2, 5, 9]), 'above');
  assert.equal(ladderCensoring(spread, [1, 5, 8]), 'below');
  assert.equal(ladderCensoring(spread, [5]), 'both');
  assert.equal(ladderCensoring([0, 0], [1]), 'both');
});

test('no clips and no range are refused', () => {
  assert.throws(() => robustAccuracy([], 1), /no clips/);
  assert.throws(() => robustnessScore([1], 0), /E must be positive/);
  assert.throws(() => ladderCensoring([1], []), /at least one rung/);
});
