import { REPORT_SCHEMA_VERSION, type Report } from '@faultline/report';
import { UsageError } from '../exit-code.ts';

/**
 * A campaign's report, to be printed.
 * @throws UsageError when it was written by a release whose reports had another form
 */
export function readReport(json: string, files: readonly string[]): Report {
  const parsed: Report = JSON.parse(json);
  const version: number = parsed.schemaVersion;
  if (version === REPORT_SCHEMA_VERSION) return parsed;
  throw new UsageError(
    `the report has schemaVersion ${version}, and the tables are made of version ${REPORT_SCHEMA_VERSION}; see it as it was written: ${files.join(', ')}, or --json`,
  );
}
