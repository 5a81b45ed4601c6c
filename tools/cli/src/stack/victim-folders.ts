import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UsageError } from '../exit-code.ts';

/**
 * The folders in `root` that hold a victim (a card.json), by name.
 * @param only names of those to find; empty: all
 * @throws UsageError when there is none, or none of a name.
 */
export async function victimFolders(root: string, only: readonly string[] = []): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(root, { withFileTypes: true }).catch((cause: unknown) => {
    throw new UsageError(`the folder of victims ${root} cannot be read: ${String(cause)}`, { cause });
  });
  const found = new Map<string, string>();
  for (const { name } of entries.filter((entry) => entry.isDirectory()).sort((a, b) => order(a.name) - order(b.name))) {
    const folder = join(root, name);
    if (await exists(join(folder, 'card.json'))) found.set(name, folder);
  }
  if (found.size === 0) {
    throw new UsageError(`${root} holds no victim; a victim is a folder with a card.json and its ONNX file`);
  }
  const unknown = only.find((name) => !found.has(name));
  if (unknown !== undefined) {
    throw new UsageError(`there is no victim ${unknown} in ${root}; there are: ${[...found.keys()].join(', ')}`);
  }
  return only.length === 0 ? found : new Map([...found].filter(([name]) => only.includes(name)));
}

/** From the earliest fusion to the latest, as a reader expects them in a table; others after these. */
const READING_ORDER = ['early', 'mid', 'late'];

function order(name: string): number {
  const index = READING_ORDER.indexOf(name);
  return index < 0 ? READING_ORDER.length : index;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
