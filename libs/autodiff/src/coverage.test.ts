import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { coverageTable } from './coverage.ts';

/** A formatter may pad the cells of a table. */
const unpadded = (text: string) => text.replace(/ +/g, ' ').replace(/-{3,}/g, '---');

test('the README lists the operators that the code has', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const table = coverageTable();
  assert.ok(unpadded(readme).includes(unpadded(table)), `put this table into README.md:\n${table}`);
});
