import type { DenseTensor } from '@faultline/contracts';
import { metrics } from '@opentelemetry/api';

/** One extracted input of one clip, without a batch axis. */
export type InputRow = DenseTensor<Float32Array | Uint8Array>;

/** What the cache measures. Instruments made before telemetry has started record nothing, so each cache makes its own. */
function instruments() {
  const meter = metrics.getMeter('@faultline/service-score');
  return {
    lookups: meter.createCounter('faultline.score.input_cache.lookups', {
      description: 'Inputs looked up in the cache of extracted inputs, by result: hit or miss.',
      unit: '{input}',
    }),
    size: meter.createUpDownCounter('faultline.score.input_cache.size', {
      description: 'Bytes of the extracted inputs that are kept.',
      unit: 'By',
    }),
  };
}

/** What looks inputs up. */
export interface InputLookup {
  get(media: string, specification: string): InputRow | undefined;
  set(media: string, specification: string, row: InputRow): void;
}

/** Extracted inputs by (media digest, specification digest), bounded in bytes; the least recently used go first. */
export class InputCache implements InputLookup {
  readonly #maxBytes: number;
  readonly #rows = new Map<string, InputRow>();
  readonly #measured = instruments();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of the inputs that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get(media: string, specification: string): InputRow | undefined {
    const key = `${media}/${specification}`;
    const row = this.#rows.get(key);
    this.#measured.lookups.add(1, { 'faultline.cache.result': row === undefined ? 'miss' : 'hit' });
    if (row === undefined) return undefined;
    this.#rows.delete(key);
    this.#rows.set(key, row);
    return row;
  }

  /** Keeps a row; one that is larger than the whole cache is not kept. */
  set(media: string, specification: string, row: InputRow): void {
    const key = `${media}/${specification}`;
    const known = this.#rows.get(key);
    if (known !== undefined) this.#drop(key, known);
    if (row.data.byteLength > this.#maxBytes) return;
    this.#rows.set(key, row);
    this.#resize(row.data.byteLength);
    for (const [oldest, oldestRow] of this.#rows) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#drop(oldest, oldestRow);
    }
  }

  #drop(key: string, row: InputRow): void {
    this.#rows.delete(key);
    this.#resize(-row.data.byteLength);
  }

  #resize(bytes: number): void {
    this.#bytes += bytes;
    this.#measured.size.add(bytes);
  }
}

/** One user of the cache, whose hits and misses are counted. */
export class CountedLookup implements InputLookup {
  readonly #cache: InputCache;
  #hits = 0;
  #misses = 0;

  constructor(cache: InputCache) {
    this.#cache = cache;
  }

  get hits(): number {
    return this.#hits;
  }

  get misses(): number {
    return this.#misses;
  }

  get(media: string, specification: string): InputRow | undefined {
    const row = this.#cache.get(media, specification);
    if (row === undefined) this.#misses += 1;
    else this.#hits += 1;
    return row;
  }

  set(media: string, specification: string, row: InputRow): void {
    this.#cache.set(media, specification, row);
  }
}
