import { createHash } from 'node:crypto';
import { score } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';

const MAX_CALLS = 64;
const MAX_BYTES = 64 * 1024 * 1024;

type Messages = readonly score.ScoreResponse[];

interface Remembered {
  readonly digest: string;
  /** Undefined when the call failed: nothing to repeat. */
  readonly messages: Promise<Messages | undefined>;
  bytes: number;
}

/** A call whose messages will be remembered. */
export interface RecordedCall {
  /** It went well, with these messages. */
  finish(messages: Messages): void;
  /** It did not; the key is free again. */
  fail(): void;
}

/** A key that this call now holds, or the messages of the one that holds it (undefined when that failed). */
export type Claim = { readonly recorded: RecordedCall } | { readonly earlier: Promise<Messages | undefined> };

function digestOf(request: score.ScoreRequest): string {
  const bytes = score.ScoreRequest.encode({ ...request, context: undefined }).finish();
  return createHash('sha256').update(bytes).digest('hex');
}

/** Messages of Score calls by idempotency key; bounded in number and bytes, the oldest go first. */
export class ScoreMemory {
  readonly #calls = new Map<string, Remembered>();
  #bytes = 0;

  /**
   * Takes a key for a call that begins, unless another call holds it.
   * @throws FaultlineError invalid_argument when the key came with another request.
   */
  claim(key: string, request: score.ScoreRequest): Claim {
    const digest = digestOf(request);
    const known = this.#calls.get(key);
    if (known === undefined) return { recorded: this.#begin(key, digest) };
    if (known.digest === digest) return { earlier: known.messages };
    throw FaultlineError.invalid(
      'context.idempotencyKey',
      `'${key}' was used for another request; give each request a key of its own`,
    );
  }

  #begin(key: string, digest: string): RecordedCall {
    const { promise, resolve } = Promise.withResolvers<Messages | undefined>();
    const entry: Remembered = { digest, messages: promise, bytes: 0 };
    this.#calls.set(key, entry);
    return {
      finish: (messages) => {
        entry.bytes = messages.reduce((sum, one) => sum + score.ScoreResponse.encode(one).finish().length, 0);
        this.#bytes += entry.bytes;
        resolve(messages);
        this.#forget();
      },
      fail: () => {
        this.#calls.delete(key);
        resolve(undefined);
      },
    };
  }

  #forget(): void {
    for (const [key, { bytes }] of this.#calls) {
      if (this.#calls.size <= MAX_CALLS && this.#bytes <= MAX_BYTES) return;
      // One that still runs has no bytes, and somebody may wait for it.
      if (bytes === 0) continue;
      this.#calls.delete(key);
      this.#bytes -= bytes;
    }
  }
}
