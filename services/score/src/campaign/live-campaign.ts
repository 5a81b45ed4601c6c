import { setTimeout as sleep } from 'node:timers/promises';
import type { ProgressState } from './progress.ts';

/** A viewer hears of a change within this time, and not more often. */
const WATCH_INTERVAL_MS = 250;
/** A viewer hears this often even when nothing changes, so that the estimate moves on. */
const WATCH_HEARTBEAT_MS = 1000;

/** A campaign that is running in this process. */
export class LiveCampaign {
  readonly #abort = new AbortController();
  readonly #stopped = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #state: ProgressState = { progress: 0, remainingSeconds: -1, activity: 'waiting' };
  #changed = Promise.withResolvers<void>();
  #over = false;

  /** Aborts when the campaign is to stop; the reason says why. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when it is to stop, also while it waits for its turn. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Resolves once its end is filed. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  get state(): ProgressState {
    return this.#state;
  }

  /** The newest state. */
  update(state: ProgressState): void {
    this.#state = state;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  stop(reason: Error): void {
    this.#abort.abort(reason);
    this.#stopped.resolve();
  }

  /** Its end is filed: nothing more will change. */
  end(): void {
    this.#over = true;
    this.#changed.resolve();
    this.#ended.resolve();
  }

  /** States as they change, the present one first, until the campaign ends. */
  async *watch(signal: AbortSignal): AsyncGenerator<ProgressState> {
    while (!this.#over) {
      yield this.state;
      await sleep(WATCH_INTERVAL_MS, undefined, { signal });
      if (this.#over) return;
      const nap = new AbortController();
      const timeout = sleep(WATCH_HEARTBEAT_MS, undefined, { signal: AbortSignal.any([signal, nap.signal]) });
      await Promise.race([this.#changed.promise, timeout]).finally(() => {
        timeout.catch(() => {});
        nap.abort();
      });
    }
  }
}
