import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A media file on disk. FFmpeg reads it by itself, which is several times faster than asking us for every piece. */
export class StoredMedia implements Disposable {
  readonly path: string;
  readonly size: number;
  readonly #descriptor: number;
  readonly #folder: string | undefined;

  private constructor(path: string, folder?: string) {
    this.path = path;
    this.#folder = folder;
    this.#descriptor = openSync(path, 'r');
    this.size = fstatSync(this.#descriptor).size;
  }

  /**
   * Takes the file at a path, or writes bytes to a temporary file, which goes away with this object.
   * @throws Error of the file system.
   */
  static from(media: Uint8Array | { readonly path: string }): StoredMedia {
    if (!(media instanceof Uint8Array)) return new StoredMedia(media.path);
    const folder = mkdtempSync(join(tmpdir(), 'faultline-media-'));
    try {
      const path = join(folder, 'media');
      writeFileSync(path, media);
      return new StoredMedia(path, folder);
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** At most `length` bytes from `offset` on; fewer at the end. */
  read(offset: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#descriptor, bytes, 0, length, offset));
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }
}
