import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootstrapInterval, independentClusters } from './bootstrap.ts';

const meanOf = (values: readonly number[]) => (clips: readonly number[]) =>
  clips.reduce((sum, clip) => sum + (values[clip] ?? 0), 0) / clips.length;

test('clusters are the connected components of shared groups', () => {
  const clusters = independentClusters([['a', 'x'], ['b'], ['y', 'x'], ['c', 'b'], [], ['y']]);
  assert.deepEqual(clusters, [0, 1, 0, 1, 2, 0]);
});

test('late links join whole clusters', () => {
  assert.deepEqual(independentClusters([['a'], ['b'], ['c'], ['c', 'b'], ['a', 'c']]), [0, 0, 0, 0, 0]);
});

test('the interval of independent coin flips has about the binomial width', () => {
  const values = Array.from({ length: 400 }, (_, clip) => clip % 2);
  const interval = bootstrapInterval({ clusters: values.map((_, clip) => clip), statistic: meanOf(values), seed: 1 });
  assert.ok(interval !== null);
  const halfWidth = (interval.high - interval.low) / 2;
  // 1.96 sqrt(0.25 / 400) = 0.049
  assert.ok(Math.abs(halfWidth - 0.049) < 0.007, `half width ${halfWidth}`);
  assert.ok(Math.abs((interval.high + interval.low) / 2 - 0.5) < 0.01);
});

test('clones in one cluster add no confidence', () => {
  const values = Array.from({ length: 400 }, (_, clip) => Math.floor(clip / 10) % 2);
  const cloned = bootstrapInterval({
    clusters: values.map((_, clip) => Math.floor(clip / 10)),
    statistic: meanOf(values),
    seed: 1,
  });
  assert.ok(cloned !== null);
  // 40 independent values: 1.96 sqrt(0.25 / 40) = 0.155
  assert.ok(Math.abs((cloned.high - cloned.low) / 2 - 0.155) < 0.03);
});

test('a seed fixes the interval, another one moves it', () => {
  const values = [0.11, 0.97, 0.83, 0.05, 0.71, 0.67, 0.93, 0.02, 0.53, 0.29];
  const run = (seed: number) =>
    bootstrapInterval({ clusters: values.map((_, clip) => clip), statistic: meanOf(values), seed });
  assert.deepEqual(run(7), run(7));
  assert.notDeepEqual(run(7), run(8));
});

test('one cluster gives no interval, nor does a figure that mostly does not exist', () => {
  assert.equal(bootstrapInterval({ clusters: [0, 0, 0], statistic: () => 1, seed: 1 }), null);
  assert.equal(bootstrapInterval({ clusters: [0, 1, 2], statistic: () => undefined, seed: 1 }), null);
});
