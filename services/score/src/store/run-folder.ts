import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

/** Folder of one run's files. */
export function runFolder(runsDir: string, id: string): string {
  return resolve(runsDir, id);
}

/** Folder of one run's files, made when it is not there. */
export async function makeRunFolder(runsDir: string, id: string): Promise<string> {
  const folder = runFolder(runsDir, id);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Writes files by their path inside the folder; each appears whole. */
export async function writeRunFiles(folder: string, files: ReadonlyMap<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of files) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.part`, content);
    await rename(`${path}.part`, path);
  }
}
