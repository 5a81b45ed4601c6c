import assert from 'node:assert/strict';
import { test } from 'node:test';
import { perturbationSize, referenceSize } from './budget-measure.ts';
import { firstOutside } from './perturbation.ts';

const clean = Float32Array.of(0, 0, 1, 1, 0.5);
const point = Float32Array.of(3, 4, 1, 0, 0.5);

test('without frames all coordinates are measured together', () => {
  assert.equal(perturbationSize(point, clean, { norm: 'l2' }), Math.sqrt(26));
  assert.equal(perturbationSize(point, clean, { norm: 'linf' }), 4);
});

test('with frames the size is that of the largest, the last one being shorter', () => {
  assert.equal(perturbationSize(point, clean, { norm: 'l2', frameSize: 2 }), 5);
  assert.equal(perturbationSize(point, clean, { norm: 'l1', frameSize: 3 }), 7);
  assert.equal(perturbationSize(point, clean, { norm: 'l1', frameSize: 1 }), 4);
  assert.equal(perturbationSize(point.with(4, Number.NaN), clean, { norm: 'l2', frameSize: 2 }), Number.NaN);
});

test('points of another length are refused', () => {
  assert.throws(() => perturbationSize(point, clean.subarray(1), { norm: 'l2' }), /5 elements but its clean point 4/);
});

test('a clean value outside the range may stay or come closer, and go no farther', () => {
  const start = Float32Array.of(0.9, -0.9, 0);
  const inside = (...values: number[]) => firstOutside(Float32Array.from(values), -0.5, 0.5, start);
  assert.equal(inside(0.7, -0.6, 0.5), undefined);
  assert.equal(inside(0.95, -0.6, 0), 0);
  assert.equal(inside(-0.4, 0.4, 0.75), 2);
  assert.equal(inside(0.9, Number.NaN, 0), 1);
});

test('relative budgets are shares of the clean norm, and in L-inf of its root mean square', () => {
  const value = Float32Array.of(3, -4, 0, 0);
  assert.equal(referenceSize(value, 'l2'), 5);
  assert.equal(referenceSize(value, 'l1'), 7);
  assert.equal(referenceSize(value, 'linf'), 2.5);
  // Every corner of that cube is on the L2 sphere of the same share.
  const corner = value.map((one, index) => one + (index % 2 === 0 ? 0.25 : -0.25));
  assert.equal(perturbationSize(corner, value, { norm: 'l2' }), 0.1 * referenceSize(value, 'l2'));
  assert.throws(() => referenceSize(value, 'l0'), /counts coordinates/);
});
