import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { victim } from '@faultline/contracts';
import { parseCard } from '@faultline/victim';
import { CARD_FILE } from '../write-victim.ts';

/** The cards of all victims in a folder. */
export async function readCards(zoo: string): Promise<readonly victim.Card[]> {
  const entries = await readdir(zoo, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  return Promise.all(folders.sort().map(async (name) => parseCard(await readFile(join(zoo, name, CARD_FILE), 'utf8'))));
}
