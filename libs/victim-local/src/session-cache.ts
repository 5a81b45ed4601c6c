/** A cached value in use; it is not evicted before it is released. */
export interface Lease<Value> {
  readonly value: Value;
  release(): Promise<void>;
}

/** How much a cache keeps of what nobody uses; what is in use stays, whatever it takes. */
export interface CacheLimits {
  readonly entries: number;
  readonly bytes: number;
}

interface Entry<Value> {
  readonly value: Promise<Value>;
  bytes: number;
  users: number;
}

/** Keeps the most recently used values within limits, disposing of the others once nobody uses them. */
export class SessionCache<Value extends AsyncDisposable & { readonly bytes: number }> implements AsyncDisposable {
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #limits: CacheLimits;

  constructor(limits: CacheLimits) {
    this.#limits = limits;
  }

  /** Estimated bytes of everything that is kept. */
  get bytes(): number {
    return [...this.#entries.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value kept under a key, made where it is missing. Whatever `make` throws is thrown, and not kept. */
  async take(key: string, make: () => Promise<Value>): Promise<Lease<Value>> {
    const entry = this.#entries.get(key) ?? { value: make(), bytes: 0, users: 0 };
    entry.users++;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    let value: Value;
    try {
      value = await entry.value;
    } catch (error) {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      throw error;
    }
    entry.bytes = value.bytes;
    await this.#evict();
    let released = false;
    return {
      value,
      release: async () => {
        if (released) return;
        released = true;
        entry.users--;
        await this.#evict();
      },
    };
  }

  async #evict(): Promise<void> {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#limits.entries && this.bytes <= this.#limits.bytes) return;
      if (entry.users > 0) continue;
      this.#entries.delete(key);
      await (await entry.value)[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { value } of entries) await (await value)[Symbol.asyncDispose]();
  }
}
