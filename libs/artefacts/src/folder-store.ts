import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, opendir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtefactError } from './artefact-error.ts';
import type { Artefact, ArtefactStore, ByteSource, ListedArtefact } from './artefact-store.ts';

const SHA256 = /^[0-9a-f]{64}$/;

/** Files are spread over 256 folders by the first digits of their name, as git does: folders of a million files are slow. */
const FAN_OUT_DIGITS = 2;

/** Where files are written before they have their name. Same file system as the rest, so that a rename is atomic. */
const INCOMING = 'incoming';

/** An incoming file that nobody has written to for this long was left behind by a process that died. */
const ABANDONED_AFTER_MS = 24 * 60 * 60_000;

/** What is stored never changes: nobody may write to it by mistake. */
const STORED_MODE = 0o444;

/**
 * Artefacts as files of a folder: `<root>/<first 2 digits>/<64 digits>`. A file appears under its name by a rename, complete and on the
 * disk, or not at all.
 */
export class FolderStore implements ArtefactStore {
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
  }

  /** Opens the folder, creating it where it is missing, and clears away what dead processes have left half-written. */
  static async open(root: string): Promise<FolderStore> {
    const incoming = join(root, INCOMING);
    await mkdir(incoming, { recursive: true });
    for await (const { name } of await opendir(incoming)) {
      const path = join(incoming, name);
      const found = await statIfPresent(path);
      if (found !== undefined && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS) await rm(path, { force: true });
    }
    return new FolderStore(root);
  }

  async put(source: ByteSource): Promise<Artefact> {
    if (source instanceof Uint8Array) {
      const known = { sha256: createHash('sha256').update(source).digest('hex'), sizeBytes: source.byteLength };
      return (await this.#renew(known)) ? known : this.#write([source]);
    }
    return this.#write(source);
  }

  async read(sha256: string): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await readFile(this.#path(sha256)).catch((error: unknown) => {
      throw isAbsent(error) ? missing(sha256) : error;
    });
    check(sha256, createHash('sha256').update(bytes).digest('hex'));
    return bytes;
  }

  async *stream(sha256: string): AsyncGenerator<Uint8Array> {
    const hash = createHash('sha256');
    try {
      for await (const chunk of createReadStream(this.#path(sha256))) {
        const bytes: Buffer = chunk;
        hash.update(bytes);
        yield bytes;
      }
    } catch (error) {
      throw isAbsent(error) ? missing(sha256) : error;
    }
    check(sha256, hash.digest('hex'));
  }

  async stat(sha256: string): Promise<ListedArtefact | undefined> {
    const found = await statIfPresent(this.#path(sha256));
    return found && { sha256, sizeBytes: found.size, lastPutAt: found.mtime };
  }

  async *list(): AsyncGenerator<ListedArtefact> {
    for await (const folder of await opendir(this.#root)) {
      if (!folder.isDirectory() || folder.name.length !== FAN_OUT_DIGITS) continue;
      for await (const { name } of await opendir(join(this.#root, folder.name))) {
        const found = SHA256.test(name) ? await this.stat(name) : undefined;
        if (found !== undefined) yield found;
      }
    }
  }

  async remove(sha256: string): Promise<boolean> {
    try {
      await rm(this.#path(sha256));
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  #path(sha256: string): string {
    // A name comes from outside: it must not lead out of the folder.
    if (!SHA256.test(sha256)) {
      throw new ArtefactError(
        'malformed',
        `'${sha256.slice(0, 80)}' is not a SHA-256 in 64 lower-case hexadecimal digits`,
      );
    }
    return join(this.#root, sha256.slice(0, FAN_OUT_DIGITS), sha256);
  }

  /** Marks stored bytes as put now; false when they are not there in this size. */
  async #renew({ sha256, sizeBytes }: Artefact): Promise<boolean> {
    const path = this.#path(sha256);
    const now = new Date();
    try {
      if ((await stat(path)).size !== sizeBytes) return false;
      await utimes(path, now, now);
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  async #write(source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Artefact> {
    const incoming = join(this.#root, INCOMING, randomUUID());
    try {
      const artefact = await writeFileOf(incoming, source);
      const path = this.#path(artefact.sha256);
      await mkdir(join(path, '..'), { recursive: true });
      await rename(incoming, path);
      return artefact;
    } catch (error) {
      await rm(incoming, { force: true });
      throw error;
    }
  }
}

async function writeFileOf(path: string, source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Artefact> {
  await using file = await open(path, 'wx', STORED_MODE);
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const piece of source) {
    // A copy of neither is made: both are done with the piece before the next one is asked for.
    hash.update(piece);
    await writeAll(file, piece);
    sizeBytes += piece.byteLength;
  }
  // Before the rename: a name must never stand for bytes that a power cut can still take away.
  await file.datasync();
  return { sha256: hash.digest('hex'), sizeBytes };
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function statIfPresent(path: string) {
  try {
    return await stat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

const isAbsent = (error: unknown) => error instanceof Error && 'code' in error && error.code === 'ENOENT';

function missing(sha256: string): ArtefactError {
  return new ArtefactError('missing', `artefact ${sha256} is not in the store; put its bytes there first`);
}

function check(expected: string, actual: string): void {
  if (actual === expected) return;
  const message = `artefact ${expected} is damaged: its bytes have SHA-256 ${actual}; remove it and put it again`;
  throw new ArtefactError('damaged', message);
}
