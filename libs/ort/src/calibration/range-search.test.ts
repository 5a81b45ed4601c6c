import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bestRange, count, type Histogram } from './range-search.ts';

const filled = (values: readonly number[]): Histogram => {
  const histogram = { low: Math.min(...values), high: Math.max(...values), counts: new Float64Array(2048) };
  count(histogram, Float32Array.from(values));
  return histogram;
};

const spread = Array.from({ length: 100_000 }, (_, index) => index / 100_000);

/** Squared error of byte levels over the range, by rounding every value. */
function squaredError(values: readonly number[], low: number, high: number): number {
  const step = (high - low) / 255;
  return values.reduce((sum, value) => {
    const level = Math.round((Math.min(high, Math.max(low, value)) - low) / step);
    return sum + (value - low - level * step) ** 2;
  }, 0);
}

test('evenly spread values keep their whole range', () => {
  const { low, high } = bestRange(filled(spread));
  assert.equal(low, 0);
  assert.ok(high > 0.98, `${high}`);
});

test('a single outlier is cut off, to a smaller error than all of the range has', () => {
  const values = [...spread, 3];
  const { low, high } = bestRange(filled(values));
  assert.equal(low, 0);
  assert.ok(high < 2.9, `${high}`);
  assert.ok(squaredError(values, low, high) < squaredError(values, 0, 3));
});

test('a value that never changes has the range that holds it', () => {
  assert.deepEqual(bestRange(filled([0, 0])), { low: 0, high: 0 });
  const { low, high } = bestRange(filled([2, 2]));
  assert.ok(low === 0 && high >= 2);
});
