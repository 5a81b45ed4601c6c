/** A cached value in use; it is not evicted before it is released. */
export interface Lease<Value> {
  readonly value: Value;
  release(): void;
}

interface Entry<Value> {
  readonly value: Value;
  users: number;
}

/** Keeps the most recently used values, disposing of the others once nobody uses them. */
export class SessionCache<Value extends AsyncDisposable> implements AsyncDisposable {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The value kept under a key, made where it is missing. */
  async take(key: string, make: () => Promise<Value>): Promise<Lease<Value>> {
    const entry = this.#entries.get(key) ?? { value: await make(), users: 0 };
    entry.users++;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    await this.#evict();
    let released = false;
    return {
      value: entry.value,
      release: () => {
        if (!released) entry.users--;
        released = true;
      },
    };
  }

  async #evict(): Promise<void> {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#capacity) return;
      if (entry.users > 0) continue;
      this.#entries.delete(key);
      await entry.value[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { value } of this.#entries.values()) await value[Symbol.asyncDispose]();
    this.#entries.clear();
  }
}
