import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCsv } from '../import/csv.ts';
import type { LicenceFamily, SourceEntry } from '../manifest.ts';

/** What a pack's source is, and where it comes from: all of its manifest entry but the file's digest. */
export interface ListedSource extends Omit<SourceEntry, 'sha256' | 'file'> {
  /** Of the original pack's file. */
  readonly fingerprint: string;
}

export const SOURCE_LIST = join(import.meta.dirname, '../../pack/sources.csv');

export const COLUMNS = [
  ...(['id', 'kind', 'class', 'style', 'package', 'path', 'group', 'split'] as const),
  ...(['licence', 'licenceFamily', 'attribution', 'fingerprint'] as const),
];

/** @throws Error when the list is of another form. */
export async function readSourceList(path = SOURCE_LIST): Promise<readonly ListedSource[]> {
  const [header = [], ...rows] = parseCsv(await readFile(path, 'utf8'));
  if (header.join() !== COLUMNS.join()) throw new Error(`"${path}" must have the columns ${COLUMNS.join(', ')}`);
  return rows.map((row) => {
    const value = Object.fromEntries(COLUMNS.map((column, at) => [column, row[at] ?? ''])) as Record<
      (typeof COLUMNS)[number],
      string
    >;
    const { class: label, style, kind, split, licenceFamily, ...rest } = value;
    return {
      ...rest,
      kind: kind as SourceEntry['kind'],
      class: label === '' ? null : label,
      ...(style === '' ? {} : { style: style as NonNullable<SourceEntry['style']> }),
      split: split as SourceEntry['split'],
      licenceFamily: licenceFamily as LicenceFamily,
    };
  });
}
