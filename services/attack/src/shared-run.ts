import { FaultlineError } from '@faultline/service-kit';

/** A run whose messages take more than this is told once only. */
const MAX_REPEATABLE_BYTES = 16 * 1024 * 1024;

/** A run that several callers may follow, each from its start. The last one that leaves before the end aborts it. */
export class SharedRun<Message> {
  readonly #abort = new AbortController();
  /** Messages that some follower may still want; those before are dropped. */
  readonly #told: Message[] = [];
  #dropped = 0;
  #bytes = 0;
  /** For each follower, how many messages it has had. */
  readonly #positions = new Map<symbol, number>();
  readonly #waiting = new Set<() => void>();
  #outcome: { readonly failure?: unknown } | undefined;

  /** Size of everything that was told. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether a further caller can still be told everything. */
  get repeatable(): boolean {
    return this.#bytes <= MAX_REPEATABLE_BYTES;
  }

  /** Whether all followers have left before its end. */
  get abandoned(): boolean {
    return this.#abort.signal.aborted;
  }

  /** Runs to the end; true when it went well. Never throws: followers are told. */
  async drive(
    start: (signal: AbortSignal) => AsyncIterable<Message>,
    sizeOf: (message: Message) => number,
  ): Promise<boolean> {
    try {
      for await (const message of start(this.#abort.signal)) {
        this.#told.push(message);
        this.#bytes += sizeOf(message);
        this.#changed();
        // Nobody joins any more: what everybody has had can go, and the run need not be ahead of its readers.
        while (!this.repeatable && !this.#caughtUp()) await this.#change();
        if (!this.repeatable) this.#dropped += this.#told.splice(0).length;
      }
      this.#outcome = {};
    } catch (failure) {
      this.#outcome = { failure };
    }
    this.#changed();
    return !('failure' in this.#outcome);
  }

  /** Everything that the run tells, and its failure. */
  async *follow(signal: AbortSignal): AsyncGenerator<Message> {
    const follower = Symbol();
    const onAbort = () => this.#changed();
    this.#positions.set(follower, 0);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      for (let position = 0; ; ) {
        signal.throwIfAborted();
        const message = this.#told[position - this.#dropped];
        if (message !== undefined) {
          yield message;
          position += 1;
          this.#positions.set(follower, position);
          this.#changed();
        } else if (this.#outcome === undefined) await this.#change();
        else break;
      }
      if (this.#outcome !== undefined && 'failure' in this.#outcome) throw this.#outcome.failure;
    } finally {
      signal.removeEventListener('abort', onAbort);
      this.#positions.delete(follower);
      if (this.#positions.size === 0 && this.#outcome === undefined) {
        this.#abort.abort(new FaultlineError('cancelled', 'the caller is gone'));
      }
      this.#changed();
    }
  }

  #caughtUp(): boolean {
    const all = this.#dropped + this.#told.length;
    return this.#positions.values().every((position) => position === all);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #changed(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }
}
