import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.ts';

/** The same for 10,000 files runs in the full suite. */
const FILES = 300;

test('mutated files are read or refused, never worse', () => {
  const { failures, read, refused } = fuzz(Array.from({ length: FILES }, (_, seed) => seed + 1));
  assert.deepEqual(failures, []);
  assert.ok(read > FILES / 20 && refused > FILES / 4, `${read} read, ${refused} refused`);
});
