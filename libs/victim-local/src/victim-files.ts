import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { victim } from '@faultline/contracts';
import { type ExternalData, externalDataIn, OnnxError } from '@faultline/onnx';
import { CardError } from '@faultline/victim';

/** The files that a card names, as bytes. */
export interface VictimFiles {
  readonly model: Uint8Array;
  readonly frontEnd?: Uint8Array | undefined;
  readonly head?: Uint8Array | undefined;
  /** Reads weights of the model that lie in files of their own; without it there must be none. */
  readonly external?: ExternalData | undefined;
}

/** Lower-case hexadecimal SHA-256. */
export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Throws CardError when bytes are not those that the card was made for. */
function checkDigest(bytes: Uint8Array, expected: string, field: string): void {
  const actual = sha256Of(bytes);
  if (actual !== expected)
    throw new CardError(field, `is ${expected} but the file's digest is ${actual}; make the card anew`);
}

/** Throws CardError unless the files are those that the card was made for. */
export function checkDigests(card: victim.Card, files: VictimFiles): void {
  checkDigest(files.model, card.sha256, 'sha256');
  for (const field of ['frontEnd', 'head'] as const) {
    const [named, bytes] = [card[field], files[field]];
    if (named === undefined) {
      if (bytes !== undefined) throw new CardError(field, 'is missing, but the graph is given');
    } else if (bytes === undefined) throw new CardError(field, `names '${named.name}', which is not given`);
    else checkDigest(bytes, named.sha256, `${field}.sha256`);
  }
}

/**
 * Reads the files of a victim's folder. External data is read from files that the card lists, and from no others.
 * @throws CardError when a listed file is missing or is not the one that the card was made for.
 */
export async function readVictimFiles(folder: string, card: victim.Card): Promise<VictimFiles> {
  const read = (name: string, field: string) =>
    readFile(path.join(folder, name)).catch((cause: unknown) => {
      throw new CardError(field, `names '${name}', which cannot be read in ${folder}`, { cause });
    });
  const listed = new Set(card.externalData.map(({ name }) => name));
  const inFolder = externalDataIn(folder);
  for (const [index, { name, sha256 }] of card.externalData.entries()) {
    checkDigest(wholeFile(inFolder, name, index), sha256, `externalData[${index}].sha256`);
  }
  return {
    model: await read(card.model, 'model'),
    frontEnd: card.frontEnd && (await read(card.frontEnd.name, 'frontEnd.name')),
    head: card.head && (await read(card.head.name, 'head.name')),
    external: (location, offset, length) => {
      if (!listed.has(location))
        throw new CardError('externalData', `does not list '${location}', which the model reads; make the card anew`);
      return inFolder(location, offset, length);
    },
  };
}

function wholeFile(inFolder: ExternalData, name: string, index: number): Uint8Array {
  try {
    return inFolder(name, 0, undefined);
  } catch (cause) {
    if (cause instanceof OnnxError) throw new CardError(`externalData[${index}].name`, cause.message, { cause });
    throw cause;
  }
}
