import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LABELS } from './labels.ts';
import { SetError } from './set/set-manifest.ts';

export type SourceKind = 'audio' | 'image' | 'background' | 'noise';
export type LicenceFamily = 'permissive' | 'cc' | 'gpl';

/** One sound or picture of a source pack, as its `sources.json` describes it. */
export interface SourceEntry {
  readonly id: string;
  readonly kind: SourceKind;
  /** An event class, or null for backgrounds and ambiences. */
  readonly class: string | null;
  /** Path inside the pack. */
  readonly file: string;
  readonly package: string;
  /** Path inside the package that the file came from. */
  readonly path: string;
  readonly sha256: string;
  readonly style?: 'photo' | 'drawing' | 'emoji';
  /** Independence group: never shared between splits. */
  readonly group: string;
  readonly split: 'train' | 'test';
  readonly licence: string;
  readonly licenceFamily: LicenceFamily;
  readonly attribution: string;
}

const MANIFEST_FILE = 'sources.json';
const KINDS: readonly string[] = ['audio', 'image', 'background', 'noise'];
const FAMILIES: readonly string[] = ['permissive', 'cc', 'gpl'];
const TEXT_FIELDS = ['id', 'file', 'package', 'path', 'sha256', 'group', 'licence', 'attribution'] as const;

/** @throws SetError when the folder is no source pack, or an entry lacks a field. */
export async function readManifest(packDir: string): Promise<SourceEntry[]> {
  const path = join(packDir, MANIFEST_FILE);
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new SetError(
      `no source pack at "${packDir}": ${MANIFEST_FILE} cannot be read; pass the pack with --pack DIR`,
      {
        cause,
      },
    );
  });
  const entries = parseJson(path, text);
  if (!Array.isArray(entries)) throw new SetError(`${path} must hold a list of sources`);
  return entries.map((entry: unknown, index) => parseEntry(entry, `${path}[${index}]`));
}

function parseJson(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SetError(`${path} is no JSON: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function parseEntry(value: unknown, where: string): SourceEntry {
  if (typeof value !== 'object' || value === null) throw new SetError(`${where} must be an object`);
  const entry: Record<string, unknown> = { ...value };
  const expect = (field: string, valid: boolean, wanted: string): void => {
    if (!valid) throw new SetError(`${where}.${field} is ${JSON.stringify(entry[field])}; expected ${wanted}`);
  };
  for (const field of TEXT_FIELDS) expect(field, typeof entry[field] === 'string', 'a text');
  expect('kind', KINDS.includes(String(entry.kind)), KINDS.join(' | '));
  expect('split', entry.split === 'train' || entry.split === 'test', 'train | test');
  expect('licenceFamily', FAMILIES.includes(String(entry.licenceFamily)), FAMILIES.join(' | '));
  const classed = entry.kind === 'audio' || entry.kind === 'image';
  expect(
    'class',
    classed ? LABELS.includes(String(entry.class)) : entry.class === null,
    'a label, or null for scenery',
  );
  return value as SourceEntry;
}
