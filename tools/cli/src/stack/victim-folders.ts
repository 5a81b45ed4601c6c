import { access, readdir, readFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { UsageError } from '../exit-code.ts';

/** Stands for every victim in the folder of victims. */
export const ALL_VICTIMS = 'all';

/** Whether a victim is asked for by its folder, not by its name: paths have a separator, and `.` is one. */
const isFolder = (asked: string) => isAbsolute(asked) || /[\\/]/.test(asked) || /^\.{1,2}$/.test(asked);

/** The name that a victim's own folder goes by, wherever it lies: its card's. */
async function nameIn(folder: string): Promise<string> {
  const file = join(folder, 'card.json');
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`${file} cannot be read; make a victim of a model with: faultline card init MODEL.onnx`, {
      cause,
    });
  });
  const card: unknown = await Promise.resolve(text)
    .then(JSON.parse)
    .catch(() => undefined);
  const name = typeof card === 'object' && card !== null ? Reflect.get(card, 'name') : undefined;
  if (typeof name !== 'string' || name === '') throw new UsageError(`${file} is no card: it has no name`);
  return name;
}

/**
 * The victims asked for, by name.
 * @param root folder with one folder a victim
 * @param asked names of victims in it, folders of victims anywhere, or `all` for those in it; nothing: all
 * @throws UsageError when there is none, or none of a name, or two of one.
 */
export async function victimFolders(root: string, asked: readonly string[] = []): Promise<ReadonlyMap<string, string>> {
  const names = asked.filter((one) => !isFolder(one));
  const everyone = asked.length === 0 || names.includes(ALL_VICTIMS);
  const found = new Map(names.length > 0 || everyone ? await victimsIn(root, everyone ? [] : names) : []);
  for (const one of asked.filter(isFolder)) {
    const folder = resolve(one);
    const name = await nameIn(folder);
    const other = found.get(name);
    if (other !== undefined && other !== folder)
      throw new UsageError(`${other} and ${folder} are both called ${name}; change the name in one card`);
    found.set(name, folder);
  }
  return found;
}

/** The names that victims asked for go by; `all` and nothing are all that are served. */
export async function victimNames(asked: readonly string[]): Promise<string[]> {
  if (asked.includes(ALL_VICTIMS)) return [];
  return Promise.all(asked.map((one) => (isFolder(one) ? nameIn(resolve(one)) : one)));
}

/** The folders in `root` that hold a victim (a card.json), by name; `only` those named, if any are. */
async function victimsIn(root: string, only: readonly string[]): Promise<ReadonlyMap<string, string>> {
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
