import { AVSEEK_CUR, AVSEEK_END, AVSEEK_SIZE, type AVSeekWhence } from 'node-av/constants';
import { IOContext } from 'node-av/lib';

/** Small, because node-av 6.1 never gives this buffer back: what is lost for each file stays at 8 KiB. */
const BUFFER_BYTES = 8 * 1024;
const FIRST_OUTPUT_BYTES = 64 * 1024;

function seekTo(position: number, size: number, offset: bigint, whence: AVSeekWhence): number {
  if (whence === AVSEEK_CUR) return position + Number(offset);
  if (whence === AVSEEK_END) return size + Number(offset);
  return Number(offset);
}

/** A growing file in memory that FFmpeg writes and seeks in. */
export class MemoryOutput {
  readonly io = new IOContext();
  #bytes = Buffer.alloc(FIRST_OUTPUT_BYTES);
  #position = 0;
  #size = 0;

  constructor() {
    this.io.allocContextWithCallbacks(
      BUFFER_BYTES,
      1,
      null,
      (part) => this.#write(part),
      (offset, whence) => {
        if (whence === AVSEEK_SIZE) return this.#size;
        this.#position = Math.max(0, seekTo(this.#position, this.#size, offset, whence));
        return this.#position;
      },
    );
  }

  /** A copy of what was written so far. */
  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes.subarray(0, this.#size));
  }

  #write(part: Buffer): number {
    const end = this.#position + part.length;
    if (end > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(end, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, this.#size);
      this.#bytes = grown;
    }
    part.copy(this.#bytes, this.#position);
    this.#position = end;
    this.#size = Math.max(this.#size, end);
    return part.length;
  }
}
