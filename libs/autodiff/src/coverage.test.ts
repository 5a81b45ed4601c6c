import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { coverageTable } from './coverage.ts';

test('the README lists the operators that the code has', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const table = coverageTable();
  assert.ok(readme.includes(table), `put this table into README.md:\n${table}`);
});
