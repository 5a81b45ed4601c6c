import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { catalogue } from './catalogue.ts';

/** Cells of a table's rows, without the padding that formatting adds. */
const cells = (line: string) =>
  line
    .split('|')
    .map((cell) => cell.trim())
    .slice(1, -1);

test("the README's table of attacks is the catalogue", async () => {
  const text = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## The attacks'));
  const table = section.slice(0, section.indexOf('\n\n', section.indexOf('| name')));
  const rows = table.split('\n').filter((line) => line.startsWith('| `'));
  const expected = Array.from(
    catalogue.values(),
    ({ name, kind, norms, knowledge, summary, source }) =>
      `| \`${name}\` | ${kind} | ${norms.join(', ')} | ${knowledge} | ${summary} | ${source} |`,
  );
  assert.deepEqual(rows.map(cells), expected.map(cells), `the rows should be:\n${expected.join('\n')}`);
});
