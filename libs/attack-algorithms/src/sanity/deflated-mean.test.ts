import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomNumbers } from '../testing/random.ts';
import { deflatedMean } from './deflated-mean.ts';

const SIZE = 400;
const SAMPLES = 12;
const random = randomNumbers(5);
const vector = () => Float32Array.from({ length: SIZE }, () => 2 * random() - 1);

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

test('noise in a few directions is taken out, however loud', () => {
  const signal = vector();
  const directions = [vector(), vector(), vector()];
  const samples = Array.from({ length: SAMPLES }, () => {
    const loudness = directions.map(() => 1000 * (2 * random() - 1));
    return signal.map(
      (value, i) =>
        value + 0.1 * random() + directions.reduce((sum, one, at) => sum + (loudness[at] ?? 0) * (one[i] ?? 0), 0),
    );
  });
  const mean = Float32Array.from(signal, (_, i) => samples.reduce((sum, one) => sum + (one[i] ?? 0), 0) / SAMPLES);
  assert.ok(Math.abs(cosine(mean, signal)) < 0.3, 'the plain mean is noise');
  // What is lost is the signal's own part in three of 400 directions.
  assert.ok(cosine(deflatedMean(samples), signal) > 0.97);
});

test('noise that is alike in all directions leaves the mean as it is; so do equal samples', () => {
  const signal = vector();
  const samples = Array.from({ length: SAMPLES }, () => signal.map((value) => value + random()));
  const mean = Float32Array.from(signal, (_, i) => samples.reduce((sum, one) => sum + (one[i] ?? 0), 0) / SAMPLES);
  assert.ok(cosine(deflatedMean(samples), mean) > 1 - 1e-6);
  for (const [i, value] of deflatedMean([signal, signal, signal]).entries()) {
    assert.ok(Math.abs(value - (signal[i] ?? 0)) < 1e-6);
  }
});
