import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstOutside, peakSignalToNoiseDb, perturbationNorms, signalToNoiseDb } from './perturbation.ts';

test('norms by hand', () => {
  const clean = Float32Array.of(0, 0.5, -0.25);
  const point = Float32Array.of(3, 4.5, -0.25);
  assert.deepEqual(perturbationNorms(point, clean), { linf: 4, l2: 5, l1: 7, l0: 2 });
});

test('differences are taken in float64: a step of one float32 unit is seen', () => {
  const clean = Float32Array.of(1);
  const point = Float32Array.of(1 + 2 ** -23);
  assert.equal(perturbationNorms(point, clean).linf, 2 ** -23);
});

test('the L2 norm of many small steps does not lose them', () => {
  const count = 1_000_000;
  const clean = new Float32Array(count);
  const step = Math.fround(1e-3);
  const point = new Float32Array(count).fill(step);
  assert.ok(Math.abs(perturbationNorms(point, clean).l2 - step * 1000) < 1e-9);
});

test('NaN shows in the norms', () => {
  assert.ok(Number.isNaN(perturbationNorms(Float32Array.of(Number.NaN), Float32Array.of(0)).linf));
});

test('SNR and PSNR by hand', () => {
  const clean = Float32Array.of(1, 1, 1, 1);
  const point = Float32Array.of(1.5, 1.5, 1.5, 1.5);
  assert.ok(Math.abs((signalToNoiseDb(point, clean) ?? 0) - 10 * Math.log10(4)) < 1e-12);
  assert.ok(Math.abs((peakSignalToNoiseDb(point, clean) ?? 0) - 10 * Math.log10(4)) < 1e-12);
  assert.equal(signalToNoiseDb(clean, clean), null);
  assert.equal(peakSignalToNoiseDb(clean, clean), null);
  assert.equal(signalToNoiseDb(point, new Float32Array(4)), null);
});

test('bounds: the first offender is named', () => {
  assert.equal(firstOutside(Float32Array.of(0, 1, 0.5), 0, 1), undefined);
  assert.equal(firstOutside(Float32Array.of(0, 1.5, 2), 0, 1), 1);
  assert.equal(firstOutside(Float32Array.of(Number.NaN), 0, 1), 0);
});

test('unequal lengths are refused', () => {
  assert.throws(() => perturbationNorms(new Float32Array(2), new Float32Array(3)), /2 elements but its clean point 3/);
});
