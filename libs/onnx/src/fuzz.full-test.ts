import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';

test('10,000 mutated files are read or refused, never worse, in bounded memory', () => {
  const before = process.memoryUsage().rss;
  const { failures } = fuzz(Array.from({ length: 10_000 }, (_, seed) => seed + 1000));
  assert.deepEqual(failures, []);
  assert.ok(process.memoryUsage().rss - before < 2 ** 29);
});
