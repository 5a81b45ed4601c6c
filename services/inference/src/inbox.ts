import type { inference } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';

export type Command = NonNullable<inference.OptimizeRequest['kind']>;

const MS_PER_S = 1_000;

/** The requests of a stream, none of which may be long in coming: a silent stream holds a slot. */
export class Inbox {
  readonly #requests: AsyncIterator<inference.OptimizeRequest>;
  readonly #idleMs: number;

  constructor(requests: AsyncIterable<inference.OptimizeRequest>, idleMs: number) {
    this.#requests = requests[Symbol.asyncIterator]();
    this.#idleMs = idleMs;
  }

  /**
   * The next request, or undefined at the end of the stream.
   * @param until a moment (of `performance.now()`) after which none is awaited, however short the silence
   * @throws FaultlineError deadline_exceeded when none comes in time.
   */
  async next(until = Number.POSITIVE_INFINITY): Promise<Command | undefined> {
    const late = Promise.withResolvers<never>();
    const patienceMs = Math.max(0, Math.min(this.#idleMs, until - performance.now()));
    const timer = setTimeout(() => late.reject(this.#lateness(patienceMs)), patienceMs);
    try {
      const next = await Promise.race([this.#requests.next(), late.promise]);
      if (next.done === true) return undefined;
      if (next.value.kind === undefined)
        throw FaultlineError.invalid('kind', 'is not set; send open, upload, step, keep, restart, rebatch or fetch');
      return next.value.kind;
    } finally {
      clearTimeout(timer);
    }
  }

  #lateness(patienceMs: number): FaultlineError {
    const problem =
      patienceMs < this.#idleMs ? 'the upload took too long' : `the stream was idle for ${this.#idleMs / MS_PER_S} s`;
    return new FaultlineError('deadline_exceeded', `${problem}; its slot was given back`);
  }
}
