import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { ARCHITECTURE_NAMES, ARCHITECTURES } from '../architectures.ts';
import { countParameters } from '../count-parameters.ts';
import { macsOf } from '../testing/measure-architectures.ts';
import { architectureTable, tableIn, withTable } from './architecture-table.ts';

const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');

test('the README tells the parameters of every architecture, and the laptop size’s multiply-accumulates', async () => {
  const table = tableIn(readme);
  const [, , ...lines] = table.split('\n');
  const rows = [];
  for (const [index, name] of ARCHITECTURE_NAMES.entries()) {
    const { laptop, study } = ARCHITECTURES[name];
    // The study's size takes minutes to run: its multiply-accumulates are compared in the long tests.
    const told = Number.parseFloat(lines[index]?.split('|').at(-2) ?? '') * 1e6;
    rows.push({
      name,
      laptop: { parameters: countParameters(laptop), macs: await macsOf(laptop) },
      study: { parameters: countParameters(study), macs: told },
    });
  }
  assert.equal(table, architectureTable(rows), 'run node libs/fusion/src/table/write-table.ts');
});

test('the README tells the counts beside those of the study', () => {
  for (const name of ['audio', 'visual', 'early', 'mid', 'late'] as const) {
    const count = countParameters(ARCHITECTURES[name].study, 'training') / 1e6;
    assert.match(readme, new RegExp(`^\\| ${name} +\\| [0-9.]+ M +\\| ${count.toFixed(2)} M \\|$`, 'm'));
  }
});

test('a table takes the place of the one before', () => {
  const before = withTable(readme, 'first');
  assert.equal(tableIn(before), 'first');
  assert.equal(withTable(before, tableIn(readme)), readme);
  assert.throws(() => tableIn('# nothing'), /has no lines/);
});
