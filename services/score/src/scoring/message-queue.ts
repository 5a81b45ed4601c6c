/** Messages from a work to whoever reads them; the work waits while too many are unread. */
export class MessageQueue<Message> implements AsyncIterable<Message> {
  readonly #most: number;
  readonly #messages: Message[] = [];
  #changed = Promise.withResolvers<void>();
  #ended = false;
  #error: unknown;

  /** @param most unread messages that are kept before `push` waits. */
  constructor(most: number) {
    this.#most = most;
  }

  /** Resolves once there is room again; at once when nobody reads any more. */
  async push(message: Message): Promise<void> {
    if (this.#ended) return;
    this.#messages.push(message);
    this.#notify();
    while (this.#messages.length > this.#most && !this.#ended) await this.#changed.promise;
  }

  /** Adds a message that may be left out: nothing waits for it, and it is dropped where others are unread. */
  offer(message: Message): void {
    if (this.#ended || this.#messages.length > 0) return;
    this.#messages.push(message);
    this.#notify();
  }

  /** No more messages; reading ends after those that are left. */
  end(): void {
    this.#ended = true;
    this.#notify();
  }

  /** Reading fails with this error after the messages that are left. */
  fail(error: unknown): void {
    this.#error = error;
    this.end();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Message> {
    try {
      while (true) {
        const message = this.#messages.shift();
        if (message !== undefined) {
          this.#notify();
          yield message;
        } else if (this.#ended) {
          if (this.#error !== undefined) throw this.#error;
          return;
        } else {
          await this.#changed.promise;
        }
      }
    } finally {
      this.end();
    }
  }

  #notify(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
