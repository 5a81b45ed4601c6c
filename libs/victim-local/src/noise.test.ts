import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NoiseDistribution } from '@faultline/victim';
import { fillNoise } from './noise.ts';

const COUNT = 200_001;

function draw(distribution: NoiseDistribution, key = 11n, variable = 'waveform', restart = 0): Float32Array {
  const values = new Float32Array(COUNT);
  fillNoise(values, key, { name: variable, restart }, distribution);
  return values;
}

const mean = (values: Iterable<number>) => {
  let [sum, count] = [0, 0];
  for (const value of values) {
    sum += value;
    count++;
  }
  return sum / count;
};

/** Largest gap between the share of values below each point and the distribution function there. */
function kolmogorov(values: Float32Array, cumulative: (x: number) => number): number {
  const sorted = values.toSorted();
  return Math.max(
    ...[...sorted.keys()].filter((i) => i % 97 === 0).map((i) => Math.abs(i / COUNT - cumulative(sorted[i] ?? 0))),
  );
}

/** Abramowitz and Stegun 26.2.17, |error| < 7.5e-8. */
function normalCumulative(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail =
    (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) *
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x > 0 ? 1 - tail : tail;
}

/** 1.63 / sqrt(n): the 1 % point of the Kolmogorov distribution. */
const LIMIT = 1.63 / Math.sqrt(COUNT);

test('uniform noise is uniform in [-1, 1)', () => {
  const values = draw('uniform');
  assert.ok(values.every((value) => value >= -1 && value < 1));
  assert.ok(kolmogorov(values, (x) => (x + 1) / 2) < LIMIT);
});

test('normal noise is normal', () => {
  const values = draw('normal');
  assert.ok(kolmogorov(values, normalCumulative) < LIMIT);
  assert.ok(Math.abs(mean(values.map((value) => value * value)) - 1) < 0.01);
});

test('neighbours, variables, restarts and keys are uncorrelated', () => {
  const first = draw('normal');
  const others = [
    first.subarray(1),
    first.subarray(2),
    draw('normal', 12n),
    draw('normal', 11n << 32n),
    draw('normal', 11n, 'frames'),
    draw('normal', 11n, 'waveform', 1),
  ];
  for (const other of others) {
    const products = other.map((value, i) => value * (first[i] ?? 0));
    assert.ok(Math.abs(mean(products)) < 4 / Math.sqrt(COUNT));
  }
});

test('signs are -1 and 1, as often', () => {
  const values = draw('signs');
  assert.ok(values.every((value) => Math.abs(value) === 1));
  assert.ok(Math.abs(mean(values)) < 4 / Math.sqrt(COUNT));
});

test('steps and samples are uncorrelated, with each other and with the draw of the start', () => {
  const draws = [undefined, [0, 0], [0, 1], [1, 0], [1, 1], [2, 0]].map((at) => {
    const [step = 0, sample = 0] = at ?? [];
    const values = new Float32Array(COUNT);
    fillNoise(values, 11n, { name: 'n', restart: 0, evaluation: at && { step, sample } }, 'normal');
    return values;
  });
  for (const [i, one] of draws.entries()) {
    for (const other of draws.slice(i + 1)) {
      assert.ok(Math.abs(mean(one.map((value, at) => value * (other[at] ?? 0)))) < 4 / Math.sqrt(COUNT));
    }
  }
});

test('a value depends on its key and position alone', () => {
  const short = new Float32Array(100);
  fillNoise(short, 11n, { name: 'waveform', restart: 0 }, 'uniform');
  assert.deepEqual(short, draw('uniform').subarray(0, 100));
});
