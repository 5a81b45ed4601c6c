import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { victim } from '@faultline/contracts';
import { checkCard } from '@faultline/victim';
import { sha256Of } from '@faultline/victim-local';
import type { ForeignModel } from './foreign-model.ts';

export const MODEL_FILE = 'model.onnx';
export const FRONT_END_FILE = 'front-end.onnx';
export const HEAD_FILE = 'head.onnx';
export const CARD_FILE = 'card.json';

/** Files of a victim beside its card. */
export interface FolderContents {
  readonly model: ForeignModel;
  readonly frontEnd: Uint8Array | undefined;
  readonly head: Uint8Array | undefined;
}

/** Copies the model, with the weights beside it, and writes the graphs around it. */
export async function writeGraphs(folder: string, { model, frontEnd, head }: FolderContents): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, MODEL_FILE), model.bytes);
  const from = path.dirname(path.resolve(model.path));
  for (const name of model.externalFiles) {
    const target = path.join(folder, name);
    if (path.resolve(target) === path.join(from, name)) continue;
    await mkdir(path.dirname(target), { recursive: true });
    await copyFile(path.join(from, name), target);
  }
  if (frontEnd !== undefined) await writeFile(path.join(folder, FRONT_END_FILE), frontEnd);
  if (head !== undefined) await writeFile(path.join(folder, HEAD_FILE), head);
}

/** The weights beside a model, with their digests, as a card lists them. */
export function externalData({ path: file, externalFiles }: ForeignModel): Promise<victim.VictimFile[]> {
  const folder = path.dirname(path.resolve(file));
  return Promise.all(
    externalFiles.map(async (name) => ({ name, sha256: sha256Of(await readFile(path.join(folder, name))) })),
  );
}

/** @throws CardError when the card is incomplete. */
export async function writeCard(folder: string, card: victim.Card): Promise<void> {
  checkCard(card);
  await writeFile(path.join(folder, CARD_FILE), `${JSON.stringify(victim.Card.toJSON(card), undefined, 2)}\n`);
}
