import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { holmAdjusted } from './holm.ts';

test('a worked example', () => {
  // 3 x 0.01, 2 x 0.03, and 1 x 0.04, which may not fall below the one before.
  assert.deepEqual(
    holmAdjusted([0.04, 0.01, 0.03]).map((p) => Number(p.toFixed(12))),
    [0.06, 0.03, 0.06],
  );
  assert.deepEqual(holmAdjusted([]), []);
  assert.throws(() => holmAdjusted([0.5, 1.5]), /p-values must be in \[0, 1\] but one is 1.5/);
  assert.throws(() => holmAdjusted([Number.NaN]), RangeError);
});

test('between the raw value and Bonferroni, in the same order, wherever a comparison stands', () => {
  const probability = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(fc.array(probability, { minLength: 1, maxLength: 12 }), (pValues) => {
      const adjusted = holmAdjusted(pValues);
      for (const [index, p] of pValues.entries()) {
        const own = adjusted[index] ?? Number.NaN;
        assert.ok(own >= p && own <= Math.min(1, p * pValues.length));
        for (const [other, q] of pValues.entries()) if (p < q) assert.ok(own <= (adjusted[other] ?? Number.NaN));
      }
      assert.deepEqual(holmAdjusted(pValues.toReversed()).toReversed(), adjusted);
    }),
  );
});
