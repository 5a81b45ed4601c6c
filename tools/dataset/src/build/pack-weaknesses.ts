import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

const HEADING = /^## Known weaknesses$/m;

/** What a pack's README lists under "Known weaknesses", an item each; nothing where it has no such list. */
export async function packWeaknesses(packDir: string): Promise<string[]> {
  const text = await readFile(join(packDir, 'README.md'), 'utf8').catch(() => '');
  const [, after = ''] = text.split(HEADING);
  const [section = ''] = after.split(/^## /m);
  return section.split('\n').flatMap((line) => (line.startsWith('- ') ? [line.slice(2)] : []));
}
