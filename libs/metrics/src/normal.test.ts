import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { normalInverseCdf } from './normal.ts';

/** Phi(x) by the series 1/2 + phi(x) (x + x^3/3 + x^5/15 + ...), an independent computation for moderate x. */
function normalCdf(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-18; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI)) * sum;
}

test('known quantiles', () => {
  assert.equal(normalInverseCdf(0.5), 0);
  assert.ok(Math.abs(normalInverseCdf(0.975) - 1.959963984540054) < 1e-14);
  assert.ok(Math.abs(normalInverseCdf(0.9) - 1.2815515655446004) < 1e-14);
  assert.ok(Math.abs(normalInverseCdf(1e-10) + 6.361340902404056) < 1e-12);
  assert.ok(Math.abs(normalInverseCdf(1e-20) + 9.2623400898) < 1e-9);
});

test('inverts an independently computed distribution function', () => {
  fc.assert(
    fc.property(fc.double({ min: -4, max: 4, noNaN: true }), (x) => {
      assert.ok(Math.abs(normalInverseCdf(normalCdf(x)) - x) < 1e-9);
    }),
  );
});

test('the ends are infinite and anything outside is refused', () => {
  assert.equal(normalInverseCdf(0), Number.NEGATIVE_INFINITY);
  assert.equal(normalInverseCdf(1), Number.POSITIVE_INFINITY);
  assert.throws(() => normalInverseCdf(1.1), /in \[0, 1\] but is 1.1/);
  assert.throws(() => normalInverseCdf(Number.NaN), RangeError);
});
