import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from './random.ts';

const draws = (random: Random, count: number): number[] => Array.from({ length: count }, () => random.next());

test('a key always gives the same numbers, another key others', () => {
  assert.deepEqual(draws(new Random('a/1'), 8), draws(new Random('a/1'), 8));
  assert.notDeepEqual(draws(new Random('a/1'), 8), draws(new Random('a/2'), 8));
});

test('a stream does not depend on what its parent has drawn', () => {
  const fresh = new Random('k');
  const used = new Random('k');
  draws(used, 5);
  assert.deepEqual(draws(fresh.stream('s'), 4), draws(used.stream('s'), 4));
});

test('numbers are uniform: mean, variance and the correlation of neighbouring keys', () => {
  const first = Array.from({ length: 20_000 }, (_, index) => new Random(`seed/${index}`).next());
  const mean = first.reduce((sum, value) => sum + value, 0) / first.length;
  const variance = first.reduce((sum, value) => sum + (value - mean) ** 2, 0) / first.length;
  const neighbours = first.reduce((sum, value, at) => sum + (value - mean) * ((first[at + 1] ?? mean) - mean), 0);
  assert.ok(Math.abs(mean - 0.5) < 0.01, `mean ${mean}`);
  assert.ok(Math.abs(variance - 1 / 12) < 0.003, `variance ${variance}`);
  assert.ok(Math.abs(neighbours / first.length / variance) < 0.03, `correlation ${neighbours}`);
});

test('shuffled keeps every item', () => {
  const items = Array.from({ length: 30 }, (_, index) => index);
  const shuffled = new Random('order').shuffled(items);
  assert.notDeepEqual(shuffled, items);
  assert.deepEqual(
    shuffled.toSorted((a, b) => a - b),
    items,
  );
});

test('picking from nothing is an error', () => {
  assert.throws(() => new Random('x').pick([]), /empty list/);
});
