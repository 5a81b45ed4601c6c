import { createHash } from 'node:crypto';
import { mkdtemp, open, readdir, rm, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { FaultlineError } from '@faultline/service-kit';

/** Written and hashed at once: the service's other calls are served in between. */
const PIECE_BYTES = 1024 * 1024;

export interface SpoolOptions {
  /** Folder in which the spool makes one of its own. */
  readonly parent: string;
  /** Bytes of media that may lie in the spool at once. */
  readonly capacityBytes: number;
}

/** A media file in the spool; it is removed when disposed of. */
export interface SpooledMedia extends AsyncDisposable {
  readonly path: string;
  readonly size: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
}

/** Media on disk while they wait for a decoder and are decoded: neither this process nor a decoder holds them in memory. */
export class Spool implements AsyncDisposable {
  readonly #folder: string;
  readonly #capacityBytes: number;
  #usedBytes = 0;
  #files = 0;

  private constructor(folder: string, capacityBytes: number) {
    this.#folder = folder;
    this.#capacityBytes = capacityBytes;
  }

  /**
   * Makes the spool's folder, and removes those of processes of this machine that were killed.
   * @throws Error of the file system when the folder cannot be made.
   */
  static async open({ parent, capacityBytes }: SpoolOptions): Promise<Spool> {
    const prefix = `faultline-features-${hostname()}-`;
    for (const name of await readdir(parent)) {
      if (name.startsWith(prefix) && isGone(Number.parseInt(name.slice(prefix.length), 10))) {
        await rm(join(parent, name), { recursive: true, force: true });
      }
    }
    return new Spool(await mkdtemp(join(parent, `${prefix}${process.pid}-`)), capacityBytes);
  }

  /**
   * Stores a media file that comes in pieces.
   * @param mostBytes size above which the media is refused
   * @throws FaultlineError `invalid_argument` when the media is larger, `resource_exhausted` when the spool is full, and what
   *   the pieces throw; nothing is left behind.
   */
  async store(pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, mostBytes: number): Promise<SpooledMedia> {
    const path = join(this.#folder, String(this.#files++));
    const hash = createHash('sha256');
    let size = 0;
    const remove = async (): Promise<void> => {
      this.#usedBytes -= size;
      size = 0;
      await unlink(path).catch(() => {});
    };
    try {
      await using file = await open(path, 'w');
      for await (const piece of pieces) {
        if (size + piece.length > mostBytes) {
          throw FaultlineError.invalid(
            'media',
            `holds more than ${mostBytes} bytes: send less, or raise the service's limit`,
          );
        }
        this.#reserve(piece.length);
        size += piece.length;
        for (let start = 0; start < piece.length; start += PIECE_BYTES) {
          const part = piece.subarray(start, start + PIECE_BYTES);
          hash.update(part);
          await file.writeFile(part);
        }
      }
    } catch (error) {
      await remove();
      throw error;
    }
    return { path, size, sha256: hash.digest('hex'), [Symbol.asyncDispose]: remove };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  #reserve(bytes: number): void {
    if (this.#usedBytes + bytes > this.#capacityBytes) {
      throw new FaultlineError(
        'resource_exhausted',
        `${this.#usedBytes} bytes of media are waiting to be decoded, at most ${this.#capacityBytes} may: try again later`,
      );
    }
    this.#usedBytes += bytes;
  }
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
