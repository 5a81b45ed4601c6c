import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REPORT_SCHEMA_VERSION } from '@faultline/report';
import { readReport } from './read-report.ts';

test('a report of another form is not printed, but its files are named', () => {
  const json = (schemaVersion: number) => JSON.stringify({ schemaVersion });
  assert.deepEqual(readReport(json(REPORT_SCHEMA_VERSION), []), { schemaVersion: REPORT_SCHEMA_VERSION });
  assert.throws(() => readReport(json(1), ['runs/a/report.html']), /schemaVersion 1.*runs\/a\/report\.html, or --json/);
});
