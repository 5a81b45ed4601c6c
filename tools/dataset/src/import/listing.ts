import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { SetError } from '../set/set-manifest.ts';
import { SPLITS, type Split } from '../splits.ts';
import { parseCsv } from './csv.ts';
import type { ImportItem, ItemSource } from './import-item.ts';

const MEDIA = /\.(mp4|m4v|mov|mkv|webm|avi|mpg|mpeg|ts|ogv)$/i;
const UNKNOWN = 'unknown';

/**
 * Reads what shall be imported, in the order of their ids: a folder with one folder a label (`label/clip.mp4`, or
 * `label/group/clip.mp4` where clips of one origin lie together), or a CSV file with a header.
 *
 * Columns of a CSV: `file` (media), or `audio` and `video` (features, with `row` where an array holds all clips); `labels`, separated by
 * `;`; and if known `id`, `group`, `split`, `licence`, `attribution`, `style`. Paths are relative to the CSV.
 * @throws SetError that names the row, the column and what to give.
 */
export async function readListing(from: string): Promise<readonly ImportItem[]> {
  const found = await stat(from).catch((cause: unknown) => {
    throw new SetError(`"${from}" cannot be read; give a folder or a CSV file with --from`, { cause });
  });
  const items = found.isDirectory() ? await readFolder(from) : await readCsvListing(from);
  if (items.length === 0) throw new SetError(`"${from}" lists no clip; ${HINT}`);
  const seen = new Set<string>();
  for (const { id } of items) {
    if (seen.has(id)) throw new SetError(`two clips have the id "${id}"; give each its own in the column id`);
    seen.add(id);
  }
  const without = items.filter(({ split }) => split === undefined).length;
  if (without > 0 && without < items.length) {
    throw new SetError(`${without} of ${items.length} clips have no split; give it for all of them, or for none`);
  }
  return [...items].sort((a, b) => (a.id < b.id ? -1 : 1));
}

const HINT = 'a folder holds label/clip.mp4 or label/group/clip.mp4, a CSV the columns file and labels';

async function readFolder(root: string): Promise<ImportItem[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const byClip = new Map<string, ImportItem>();
  for (const entry of entries) {
    if (!entry.isFile() || !MEDIA.test(entry.name)) continue;
    const file = resolve(entry.parentPath, entry.name);
    const parts = relative(resolve(root), file).split(sep);
    const [label, ...rest] = parts;
    if (label === undefined || rest.length === 0) {
      throw new SetError(`"${entry.name}" lies in no folder of a label; ${HINT}`);
    }
    const id = parts.join('/').slice(0, -extname(entry.name).length);
    const groupGiven = rest.length > 1;
    byClip.set(file, {
      id,
      source: { kind: 'media', file },
      labels: [label],
      group: groupGiven ? `${label}/${rest.slice(0, -1).join('/')}` : id,
      groupGiven,
      licence: UNKNOWN,
      attribution: UNKNOWN,
      style: UNKNOWN,
    });
  }
  return [...byClip.values()];
}

const COLUMNS: readonly string[] = [
  ...['id', 'file', 'audio', 'video', 'row', 'labels', 'group', 'split'],
  ...['licence', 'attribution', 'style'],
];

async function readCsvListing(path: string): Promise<ImportItem[]> {
  const [header, ...rows] = parseCsv(await readFile(path, 'utf8'));
  if (header === undefined) throw new SetError(`"${path}" is empty; ${HINT}`);
  const unknown = header.find((column) => !COLUMNS.includes(column));
  if (unknown !== undefined) {
    throw new SetError(`"${path}" has an unknown column "${unknown}"; the columns are ${COLUMNS.join(', ')}`);
  }
  return rows.map((row, at) => {
    const where = `"${path}", row ${at + 2}`;
    if (row.length !== header.length) {
      throw new SetError(`${where} has ${row.length} fields, the header ${header.length}`);
    }
    const value = (column: string): string | undefined => row[header.indexOf(column)]?.trim() || undefined;
    return itemOf(value, where, dirname(path));
  });
}

function itemOf(value: (column: string) => string | undefined, where: string, folder: string): ImportItem {
  const labels = (value('labels') ?? '').split(';').flatMap((label) => (label.trim() === '' ? [] : [label.trim()]));
  if (labels.length === 0) throw new SetError(`${where}: the column labels is empty; give one or more, separated by ;`);
  const source = sourceOf(value, where, folder);
  const id = value('id') ?? idOf(source, folder);
  const split = value('split');
  if (split !== undefined && !isSplit(split)) {
    throw new SetError(`${where}: split is "${split}"; give ${SPLITS.join(', ')}, or leave the column out`);
  }
  const group = value('group');
  return {
    id,
    source,
    labels: [...new Set(labels)],
    group: group ?? id,
    groupGiven: group !== undefined,
    ...(split === undefined ? {} : { split }),
    licence: value('licence') ?? UNKNOWN,
    attribution: value('attribution') ?? UNKNOWN,
    style: value('style') ?? UNKNOWN,
  };
}

const isSplit = (text: string): text is Split => SPLITS.some((split) => split === text);

function sourceOf(value: (column: string) => string | undefined, where: string, folder: string): ItemSource {
  const [file, audio, video, row] = [value('file'), value('audio'), value('video'), value('row')];
  if (file !== undefined) return { kind: 'media', file: resolve(folder, file) };
  if (audio === undefined || video === undefined) {
    throw new SetError(`${where}: give the column file, or both audio and video`);
  }
  const features = { kind: 'features', audio: resolve(folder, audio), video: resolve(folder, video) } as const;
  if (row === undefined) return features;
  const index = Number(row);
  if (!(Number.isInteger(index) && index >= 0)) {
    throw new SetError(`${where}: row is "${row}"; give the clip's index on the first axis, from 0`);
  }
  return { ...features, row: index };
}

function idOf(source: ItemSource, folder: string): string {
  if (source.kind === 'media') {
    const inside = relative(folder, source.file);
    const path = inside.startsWith('..') ? basename(source.file) : inside;
    return path
      .slice(0, path.length - extname(path).length)
      .split(sep)
      .join('/');
  }
  const stem = relative(folder, source.audio)
    .split(sep)
    .join('/')
    .replace(/\.(npy|csv)$/i, '');
  return source.row === undefined ? stem : join(stem, String(source.row).padStart(7, '0'));
}
