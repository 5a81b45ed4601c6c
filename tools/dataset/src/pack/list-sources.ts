import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readManifest } from '../manifest.ts';
import { userPath } from '../set/option-value.ts';
import { fingerprint } from './fingerprint.ts';
import { COLUMNS, SOURCE_LIST } from './source-list.ts';

// node src/pack/list-sources.ts PACK: writes pack/sources.csv, from which a pack can be made again, from one that is there.

const packDir = userPath(process.argv[2] ?? '');
const field = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
const lines = [COLUMNS.join()];
for (const entry of await readManifest(packDir)) {
  const row = { style: '', ...entry, fingerprint: await fingerprint(join(packDir, entry.file), entry.kind) };
  lines.push(COLUMNS.map((column) => field(row[column] ?? '')).join());
}
await writeFile(SOURCE_LIST, `${lines.join('\n')}\n`);
process.stdout.write(`${lines.length - 1} sources in ${SOURCE_LIST}\n`);
