import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapInterval, type Interval, meanDifferences } from './bootstrap.ts';

function halfWidth(interval: Interval | null): number {
  assert.ok(interval !== null);
  return (interval.high - interval.low) / 2;
}

const CLIPS = 400;
const coins = Array.from({ length: CLIPS }, (_, clip) => clip % 2);
/** 1.96 standard errors of the mean of this many fair coins. */
const binomial = (count: number): number => 1.96 * Math.sqrt(0.25 / count);

test('independent clips give the binomial width', () => {
  const interval = bootstrapInterval({ values: coins, groups: coins.map(() => []), seed: 1 });
  assert.ok(Math.abs(halfWidth(interval) / binomial(CLIPS) - 1) < 0.15);
  assert.ok(interval !== null && interval.low < 0.5 && interval.high > 0.5);
});

test('clips of two groups each, none shared, are independent as well', () => {
  const groups = coins.map((_, clip) => [`sound ${clip}`, `picture ${clip}`]);
  assert.ok(Math.abs(halfWidth(bootstrapInterval({ values: coins, groups, seed: 1 })) / binomial(CLIPS) - 1) < 0.2);
});

test('clones of one source add no confidence', () => {
  const values = Array.from({ length: CLIPS }, (_, clip) => Math.floor(clip / 10) % 2);
  const groups = values.map((_, clip) => [`sound ${Math.floor(clip / 10)}`]);
  assert.ok(Math.abs(halfWidth(bootstrapInterval({ values, groups, seed: 1 })) / binomial(CLIPS / 10) - 1) < 0.2);
});

test('a picture that many clips share widens the interval, though their sounds differ', () => {
  const values = Array.from({ length: CLIPS }, (_, clip) => Math.floor(clip / 10) % 2);
  const groups = values.map((_, clip) => [`sound ${clip}`, `picture ${Math.floor(clip / 10)}`]);
  const shared = halfWidth(bootstrapInterval({ values, groups, seed: 1 }));
  assert.ok(shared > 1.7 * binomial(CLIPS), `${shared}`);
  assert.ok(shared < binomial(CLIPS / 10), `${shared}`);
});

test('a chain that links all clips still gives an interval', () => {
  const groups = coins.map((_, clip) => [`link ${clip}`, `link ${clip + 1}`]);
  assert.ok(halfWidth(bootstrapInterval({ values: coins, groups, seed: 1 })) > 0);
});

test('a seed fixes the interval, another one moves it', () => {
  const values = [0.11, 0.97, 0.83, 0.05, 0.71, 0.67, 0.93, 0.02, 0.53, 0.29];
  const run = (seed: number) => bootstrapInterval({ values, groups: values.map(() => []), seed });
  assert.deepEqual(run(7), run(7));
  assert.notDeepEqual(run(7), run(8));
});

test('equal values have no spread, and one group gives no interval', () => {
  assert.deepEqual(bootstrapInterval({ values: [1, 1, 1], groups: [['a'], ['b'], ['b']], seed: 1 }), {
    low: 1,
    high: 1,
  });
  assert.equal(bootstrapInterval({ values: [0, 1], groups: [['a'], ['a']], seed: 1 }), null);
  assert.throws(() => bootstrapInterval({ values: [0, 1], groups: [], seed: 1 }), /2 values but groups of 0 clips/);
});

test('differences of means: clear ones are significant, none is not, and sides are symmetric', () => {
  const groups = coins.map(() => []);
  const clear = coins.map((coin) => 0.3 + 0.5 * coin);
  const none = coins.map((coin) => coin - 0.5);
  const found = meanDifferences({ differences: [clear, clear.map((value) => -value), none], groups, seed: 1 });
  assert.ok(found !== null);
  const [first, mirrored, noise] = found;
  assert.ok(first !== undefined && mirrored !== undefined && noise !== undefined);
  assert.ok(Math.abs(first.mean - 0.55) < 1e-12 && first.interval.low > 0);
  assert.equal(first.pValue, 2 / 10_000, 'no resample was at or below 0');
  assert.equal(mirrored.pValue, first.pValue);
  assert.ok(noise.pValue > 0.5);
});

test('p-values of no difference are spread evenly, so that a twentieth of them is below a twentieth', () => {
  const groups = Array.from({ length: 40 }, () => []);
  let state = 1;
  const uniform = (): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
  const differences = Array.from({ length: 400 }, () => groups.map(() => uniform() - 0.5));
  const found = meanDifferences({ differences, groups, seed: 3, replicates: 999 }) ?? [];
  const share = found.filter(({ pValue }) => pValue < 0.05).length / found.length;
  assert.ok(share > 0.02 && share < 0.09, `${share}`);
});

test('one draw serves all comparisons: the interval is that of the list alone; equal lists cannot be told apart', () => {
  const groups = coins.map((_, clip) => [`sound ${clip % 50}`]);
  const differences = [coins.map((coin) => coin - 0.4), coins.map(() => 0)];
  const found = meanDifferences({ differences, groups, seed: 5, replicates: 1000 });
  assert.deepEqual(found?.[0]?.interval, bootstrapInterval({ values: differences[0] ?? [], groups, seed: 5 }));
  assert.equal(found?.[1]?.pValue, 1);
  assert.equal(meanDifferences({ differences: [[1]], groups: [['a']], seed: 1 }), null);
  assert.throws(() => meanDifferences({ differences: [[1]], groups: [], seed: 1 }), /1 values but groups of 0 clips/);
});
