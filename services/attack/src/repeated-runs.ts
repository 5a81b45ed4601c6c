import { FaultlineError } from '@faultline/service-kit';
import { SharedRun } from './shared-run.ts';

/** How long a finished run is told again. */
const KEPT_MS = 60_000;

/** All finished runs that are kept together. */
const MAX_KEPT_BYTES = 64 * 1024 * 1024;
const MAX_KEPT_RUNS = 64;

/** What a run is recognised by. */
export interface RunIdentity {
  /** Caller and idempotency key. */
  readonly key: string;
  /** Digest of the request without them: a key stands for one request. */
  readonly requestDigest: string;
}

interface KnownRun<Message> {
  readonly requestDigest: string;
  readonly run: SharedRun<Message>;
  /** Set when it has gone well: forgets it. */
  timer?: NodeJS.Timeout;
}

/** Runs by their idempotency key: those that run, and for a minute those that went well. */
export class RepeatedRuns<Message> implements Disposable {
  /** Kept runs in the order in which they finished come after those that were there before. */
  readonly #runs = new Map<string, KnownRun<Message>>();
  readonly #sizeOf: (message: Message) => number;

  /** @param sizeOf bytes of a message */
  constructor(sizeOf: (message: Message) => number) {
    this.#sizeOf = sizeOf;
  }

  /**
   * Starts a run, or tells the one of the same key from its beginning. A run that failed is forgotten at once, so that it may be tried again.
   * @throws FaultlineError invalid_argument when the key stands for another request; already_exists when the run is too large to be told twice.
   */
  follow(
    { key, requestDigest }: RunIdentity,
    start: (signal: AbortSignal) => AsyncIterable<Message>,
    signal: AbortSignal,
  ): AsyncIterable<Message> {
    const known = this.#runs.get(key);
    if (known !== undefined && !known.run.abandoned) return joined(known, requestDigest).follow(signal);
    const run = new SharedRun<Message>();
    const entry: KnownRun<Message> = { requestDigest, run };
    this.#runs.set(key, entry);
    const messages = run.follow(signal);
    void run.drive(start, this.#sizeOf).then((wentWell) => {
      if (this.#runs.get(key) === entry) this.#finish(key, entry, wentWell);
    });
    return messages;
  }

  /** Forgets all finished runs. */
  [Symbol.dispose](): void {
    for (const [key] of this.#kept()) this.#forget(key);
  }

  #finish(key: string, entry: KnownRun<Message>, wentWell: boolean): void {
    this.#runs.delete(key);
    if (!wentWell || !entry.run.repeatable) return;
    entry.timer = setTimeout(() => this.#forget(key), KEPT_MS).unref();
    this.#runs.set(key, entry);
    const kept = this.#kept();
    let bytes = kept.reduce((sum, [, { run }]) => sum + run.bytes, 0);
    for (const [index, [oldest, { run }]] of kept.entries()) {
      if (bytes <= MAX_KEPT_BYTES && kept.length - index <= MAX_KEPT_RUNS) break;
      this.#forget(oldest);
      bytes -= run.bytes;
    }
  }

  #kept(): [string, KnownRun<Message>][] {
    return [...this.#runs].filter(([, { timer }]) => timer !== undefined);
  }

  #forget(key: string): void {
    clearTimeout(this.#runs.get(key)?.timer);
    this.#runs.delete(key);
  }
}

function joined<Message>(known: KnownRun<Message>, requestDigest: string): SharedRun<Message> {
  if (known.requestDigest !== requestDigest) {
    throw FaultlineError.invalid('context.idempotency_key', 'stands for another request; give each request its own');
  }
  if (!known.run.repeatable) {
    const remedy = 'wait for that one, or ask for tensors by reference';
    throw new FaultlineError(
      'already_exists',
      `the run of this idempotency key is too large to be told twice: ${remedy}`,
    );
  }
  return known.run;
}
