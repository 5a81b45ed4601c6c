import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { contactSheet } from './contact-sheet.ts';
import { dataCard } from './data-card.ts';
import { checkGroupsApart } from './groups-apart.ts';
import { MANIFEST_FILE, manifestText, type SetManifest } from './set-manifest.ts';
import { writeWhole } from './shards.ts';

export const CARD_FILE = 'DATA-CARD.md';
export const SHEET_FILE = 'contact-sheet.png';

/**
 * Writes what describes a set whose shards are made: data card, contact sheet, manifest.
 * @param weaknesses what is known to be weak about it, beside what counting shows; a sentence each
 * @throws SetError when splits share a group.
 */
export async function finishSet(out: string, manifest: SetManifest, weaknesses: readonly string[]): Promise<void> {
  checkGroupsApart(manifest.clips);
  await writeFile(join(out, CARD_FILE), dataCard(manifest, weaknesses));
  await writeFile(join(out, SHEET_FILE), await contactSheet(out, manifest));
  // Written last: where it is, the set is whole.
  await writeWhole(join(out, MANIFEST_FILE), manifestText(manifest));
}
