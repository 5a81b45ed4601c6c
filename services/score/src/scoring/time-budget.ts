import { FaultlineError } from '@faultline/service-kit';

/** Share of a call's time that is kept for its last messages, and its bounds: a busy machine stalls for some hundred milliseconds. */
const REPLY_SHARE = 0.15;
const LEAST_REPLY_MS = 100;
const MOST_REPLY_MS = 2000;

/** Timers of Node take no longer delay; a deadline behind it is none in practice. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The time that a call has for work: its deadline, less what the last messages need. Unbounded without a deadline. */
export class TimeBudget implements Disposable {
  readonly #call: AbortSignal;
  readonly #over = new AbortController();
  readonly #endsAt: number;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Aborts when the time is up, and when the call is cancelled. */
  readonly signal: AbortSignal;

  constructor(deadline: Date | undefined, call: AbortSignal) {
    this.#call = call;
    this.signal = AbortSignal.any([call, this.#over.signal]);
    const total = deadline === undefined ? Number.POSITIVE_INFINITY : deadline.getTime() - Date.now();
    const reserve = Math.min(MOST_REPLY_MS, Math.max(LEAST_REPLY_MS, REPLY_SHARE * total));
    this.#endsAt = performance.now() + total - reserve;
    this.#abortAfter(this.#over, total - reserve);
  }

  get isBounded(): boolean {
    return this.remainingMs < LONGEST_TIMER_MS;
  }

  /** Milliseconds left for work; infinite without a deadline. */
  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  /** Whether the time is up, rather than the call cancelled. */
  get isOver(): boolean {
    return this.#over.signal.aborted && !this.#call.aborted;
  }

  /** Whether the call was cancelled, or has run out of its own deadline. */
  get isCancelled(): boolean {
    return this.#call.aborted;
  }

  /** A signal that aborts this much earlier, so that something is left to be done after. */
  earlier(milliseconds: number): AbortSignal {
    const sooner = new AbortController();
    this.#abortAfter(sooner, this.remainingMs - milliseconds);
    return AbortSignal.any([this.signal, sooner.signal]);
  }

  [Symbol.dispose](): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #abortAfter(controller: AbortController, milliseconds: number): void {
    if (milliseconds >= LONGEST_TIMER_MS) return;
    const abort = () => controller.abort(new FaultlineError('deadline_exceeded', 'the time for this call is up'));
    if (milliseconds <= 0) abort();
    else this.#timers.add(setTimeout(abort, milliseconds));
  }
}
