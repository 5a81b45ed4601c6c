import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CounterRandom } from './counter-random.ts';

const DRAWS = 20_000;

test('draws depend on seed, name and index alone', () => {
  const random = new CounterRandom(7, 'weights');
  const later = random.uniform(1000);
  assert.equal(new CounterRandom(7, 'weights').uniform(1000), later);
  assert.notEqual(new CounterRandom(8, 'weights').uniform(1000), later);
  assert.notEqual(new CounterRandom(7, 'biases').uniform(1000), later);
});

test('normal draws have mean 0, variance 1 and no memory', () => {
  const random = new CounterRandom(1, 'normal');
  const draws = Array.from({ length: DRAWS }, (_, index) => random.normal(index));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const tolerance = 4 / Math.sqrt(DRAWS);
  assert.ok(Math.abs(mean(draws)) < tolerance);
  assert.ok(Math.abs(mean(draws.map((value) => value * value)) - 1) < Math.SQRT2 * tolerance);
  assert.ok(Math.abs(mean(draws.slice(1).map((value, index) => value * (draws[index] ?? 0)))) < tolerance);
});

test('an array of signed draws is uniform, and another for another name', () => {
  const draws = new Float32Array(DRAWS);
  new CounterRandom(5, 'start').fillSigned(draws);
  const other = new Float32Array(DRAWS);
  new CounterRandom(5, 'end').fillSigned(other);
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const tolerance = 4 / Math.sqrt(DRAWS);
  assert.ok(draws.every((value) => value >= -1 && value <= 1));
  assert.ok(Math.abs(mean(draws)) < tolerance);
  assert.ok(Math.abs(mean(draws.map((value) => value * value)) - 1 / 3) < tolerance);
  assert.ok(Math.abs(mean(draws.slice(1).map((value, index) => value * (draws[index] ?? 0)))) < tolerance);
  assert.ok(Math.abs(mean(draws.map((value, index) => value * (other[index] ?? 0)))) < tolerance);
});

test('whole numbers stay below their bound and reach it all', () => {
  const random = new CounterRandom(3, 'below');
  const seen = new Set(Array.from({ length: 200 }, (_, index) => random.below(index, 5)));
  assert.deepEqual([...seen].sort(), [0, 1, 2, 3, 4]);
});
