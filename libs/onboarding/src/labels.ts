import { readFile } from 'node:fs/promises';
import { OnboardingError } from './onboarding-error.ts';

/** Keys under which exporters leave the names of labels. */
const METADATA_KEYS = ['labels', 'names', 'classes', 'class_names', 'id2label', 'label_names'];

/**
 * Reads names of labels from text: a JSON list or a table from number to name (also as Python writes it), a CSV table with a column
 * `display_name`, or one name a line.
 */
export function parseLabels(text: string): string[] {
  const trimmed = text.trim();
  if (/^[[{]/.test(trimmed)) return labelsOfJson(trimmed);
  const lines = trimmed.split(/\r?\n/).map((line) => line.trim());
  const columns = csvCells(lines[0] ?? '');
  const column = columns.indexOf('display_name');
  if (column >= 0) return lines.slice(1).map((line) => csvCells(line)[column] ?? '');
  return lines;
}

function labelsOfJson(text: string): string[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Python's way of writing a table: {0: 'cat', 1: 'dog'}.
    value = Object.fromEntries(
      Array.from(text.matchAll(/(\d+)\s*:\s*(?:'([^']*)'|"([^"]*)")/g), ([, key, a, b]) => [key, a ?? b]),
    );
  }
  if (Array.isArray(value)) return value.map(String);
  if (typeof value !== 'object' || value === null) throw new OnboardingError('labels are no list and no table');
  const entries = Object.entries(value);
  const byNumber = entries.every(([key]) => /^\d+$/.test(key));
  const named = byNumber
    ? entries.map(([key, label]): [number, unknown] => [Number(key), label])
    : entries.map(([label, key]): [number, unknown] => [Number(key), label]);
  const size = Math.max(-1, ...named.map(([index]) => index)) + 1;
  if (named.some(([index]) => !Number.isInteger(index) || index < 0) || size > 2 * named.length + 1)
    throw new OnboardingError('labels are a table whose numbers make no list');
  return Array.from({ length: size }, (_, index) =>
    String(named.find(([key]) => key === index)?.[1] ?? `label-${index}`),
  );
}

function csvCells(line: string): string[] {
  return Array.from(line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g), ([, cell = '']) =>
    cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell,
  );
}

/** Names of labels that the model's file itself holds, in its metadata or, by some exporters, in its output's name. */
export function labelsInFile(
  metadata: ReadonlyMap<string, string>,
  output: string,
  count: number,
): { readonly labels: string[]; readonly where: string } | undefined {
  const places = [
    ...METADATA_KEYS.map((key) => [`metadata '${key}'`, metadata.get(key)] as const),
    ["the output's name", output] as const,
  ];
  for (const [where, text] of places) {
    if (text === undefined || (where === "the output's name" && !text.startsWith('{'))) continue;
    const labels = attemptLabels(text);
    if (labels.length === count) return { labels: distinct(labels), where };
  }
  return undefined;
}

function attemptLabels(text: string): string[] {
  try {
    const labels = parseLabels(text);
    return labels.length === 1 && text.includes(',') ? text.split(',').map((label) => label.trim()) : labels;
  } catch {
    return [];
  }
}

/** Cards name each label once: repetitions are numbered. */
export function distinct(labels: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return labels.map((label) => {
    const count = (seen.get(label) ?? 0) + 1;
    seen.set(label, count);
    return count === 1 ? label : `${label} (${count})`;
  });
}

/** Reads a file of labels. @throws OnboardingError when it does not hold as many as the model has. */
export async function readLabels(file: string, count: number): Promise<string[]> {
  const labels = parseLabels(await readFile(file, 'utf8'));
  if (labels.length !== count)
    throw new OnboardingError(`--labels ${file} holds ${labels.length} labels, but the model has ${count}`);
  return distinct(labels);
}
