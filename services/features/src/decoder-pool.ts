import { setTimeout as delay } from 'node:timers/promises';
import type { DecodedInput } from '@faultline/media';
import { FaultlineError, logger } from '@faultline/service-kit';
import type { DecodeFailure, DecodeRequest } from './decoder-messages.ts';
import { type DecoderExit, DecoderExitError, DecoderProcess } from './decoder-process.ts';

/** Native code loses a little memory with each file; a process that has decoded this many is replaced by a fresh one. */
const FILES_PER_PROCESS = 1000;
/** As is one that has taken this much processor time, so that a limit not far above can end one that hangs on its own. */
const CPU_SECONDS_PER_PROCESS = 300;
const MS_PER_SECOND = 1000;
/** A decoder's threads (garbage collection) may take more than the wall's time. */
const CPU_MARGIN = 2;
const FIRST_RESTART_DELAY_MS = 100;
const LONGEST_RESTART_DELAY_MS = 5000;
/** Signals by which a process dies of its own doing; the others come from outside (a person, the kernel short of memory). */
const CRASH_SIGNALS: ReadonlySet<string> = new Set(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGTRAP']);

export interface DecoderPoolOptions {
  /** Number of decoder processes. */
  readonly size: number;
  /** Longest time for one media file. */
  readonly timeLimitMs: number;
  /** Memory that a decoder process may take for media, in MiB. */
  readonly memoryLimitMib: number;
}

const log = logger('features');

/** Decoder processes that are started ahead, restarted when they die, and serve in order of arrival. */
export class DecoderPool implements AsyncDisposable {
  readonly #options: DecoderPoolOptions;
  readonly #processes = new Set<DecoderProcess>();
  readonly #idle: DecoderProcess[] = [];
  readonly #queue: ((decoder: DecoderProcess) => void)[] = [];
  readonly #closing = new AbortController();
  #slots: readonly Promise<void>[] = [];

  private constructor(options: DecoderPoolOptions) {
    this.#options = options;
  }

  /**
   * Starts the processes and waits until all are ready.
   * @throws FaultlineError `internal` when a decoder process cannot start; nothing is left running.
   */
  static async start(options: DecoderPoolOptions): Promise<DecoderPool> {
    const pool = new DecoderPool(options);
    const started = Array.from({ length: options.size }, () => Promise.withResolvers<void>());
    pool.#slots = started.map((slot) => pool.#keepAlive(slot));
    try {
      await Promise.all(started.map((slot) => slot.promise));
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
    return pool;
  }

  /** Whether any decoder process is there to work. */
  get ready(): boolean {
    return !this.#closing.signal.aborted && this.#processes.size > 0;
  }

  /** Process ids of the decoders, for those who watch over memory. */
  get pids(): readonly number[] {
    return [...this.#processes].flatMap(({ pid }) => pid ?? []);
  }

  /**
   * Decodes one media file in the next free process. Once `signal` aborts nobody waits any more, but what runs is left to end.
   * @throws FaultlineError `invalid_argument` for media that cannot be decoded, exceeds the limits or crashes its decoder;
   *   `unavailable` when the decoder was ended from outside.
   */
  async decode(request: DecodeRequest, signal: AbortSignal): Promise<readonly DecodedInput[]> {
    signal.throwIfAborted();
    return untilAborted(this.#decodeNext(request, signal), AbortSignal.any([signal, this.#closing.signal]));
  }

  /** Ends all processes at once; whoever waits gets `unavailable`. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new FaultlineError('unavailable', 'the features service is shutting down'));
    for (const decoder of this.#processes) decoder.kill();
    await Promise.all(this.#slots);
  }

  async #decodeNext(request: DecodeRequest, signal: AbortSignal): Promise<readonly DecodedInput[]> {
    const decoder = this.#idle.shift() ?? (await new Promise<DecoderProcess>((resolve) => this.#queue.push(resolve)));
    try {
      if (signal.aborted) return [];
      return await this.#decodeWith(decoder, request);
    } finally {
      this.#release(decoder);
    }
  }

  async #decodeWith(decoder: DecoderProcess, request: DecodeRequest): Promise<readonly DecodedInput[]> {
    const { timeLimitMs } = this.#options;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      decoder.kill();
    }, timeLimitMs);
    try {
      const message = await decoder.decode(request);
      if (message.kind === 'inputs') return message.inputs;
      if (message.kind === 'failure') throw refusal(message);
      throw new FaultlineError('internal', `the decoder process answered '${message.kind}' to a request`);
    } catch (error) {
      if (!(error instanceof DecoderExitError)) throw error;
      if (late) {
        throw FaultlineError.invalid('media', `takes longer than ${timeLimitMs} ms to decode: send a shorter file`);
      }
      throw death(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #release(decoder: DecoderProcess): void {
    if (!decoder.alive) return;
    if (isWorn(decoder)) {
      decoder.kill();
      return;
    }
    const next = this.#queue.shift();
    if (next) next(decoder);
    else this.#idle.push(decoder);
  }

  /** Runs one process after the other until the pool closes; more and more slowly while they fail to start. */
  async #keepAlive(firstStart: PromiseWithResolvers<void>): Promise<void> {
    const { memoryLimitMib, timeLimitMs } = this.#options;
    const cpuSeconds = CPU_SECONDS_PER_PROCESS + Math.ceil((CPU_MARGIN * timeLimitMs) / MS_PER_SECOND);
    const limits = { memoryMib: memoryLimitMib, cpuSeconds };
    let restartDelayMs = FIRST_RESTART_DELAY_MS;
    while (!this.#closing.signal.aborted) {
      const decoder = new DecoderProcess(limits);
      this.#processes.add(decoder);
      const started = await decoder.ready.then(
        () => true,
        () => false,
      );
      if (started) {
        restartDelayMs = FIRST_RESTART_DELAY_MS;
        firstStart.resolve();
        this.#release(decoder);
      }
      const exit = await decoder.exited;
      this.#processes.delete(decoder);
      const position = this.#idle.indexOf(decoder);
      if (position >= 0) this.#idle.splice(position, 1);
      if (this.#closing.signal.aborted) return;
      if (!isWorn(decoder)) reportDeath(exit);
      if (started) continue;
      firstStart.reject(new FaultlineError('internal', `a decoder process cannot start: ${describe(exit)}`));
      await delay(restartDelayMs, undefined, { signal: this.#closing.signal }).catch(() => {});
      restartDelayMs = Math.min(2 * restartDelayMs, LONGEST_RESTART_DELAY_MS);
    }
  }
}

function isWorn({ files, cpuSeconds }: DecoderProcess): boolean {
  return files >= FILES_PER_PROCESS || cpuSeconds >= CPU_SECONDS_PER_PROCESS;
}

/** The request's field that a refusal is about, where that is not the media. */
const FIELD_AT_FAULT: Readonly<Partial<Record<DecodeFailure['reason'], string>>> = {
  bad_specification: 'inputs',
  bad_window: 'window.start_seconds',
};

function refusal({ reason, message }: DecodeFailure): FaultlineError {
  if (reason === 'failed') return new FaultlineError('internal', `decoding failed: ${message}`);
  return FaultlineError.invalid(FIELD_AT_FAULT[reason] ?? 'media', message);
}

function death(error: DecoderExitError): FaultlineError {
  const { signal } = error.exit;
  if (signal !== null && CRASH_SIGNALS.has(signal)) {
    return FaultlineError.invalid(
      'media',
      `crashes its decoder (${signal}): the file is damaged, or takes too much memory`,
    );
  }
  return new FaultlineError('unavailable', `${error.message} while it decoded this media: try again`, { cause: error });
}

function describe({ code, signal, output }: DecoderExit): string {
  return `${signal ?? `exit code ${code}`}${output === '' ? '' : `: ${output.trim()}`}`;
}

function reportDeath(exit: DecoderExit): void {
  log.warn('a decoder process ended and is replaced', { exit: exit.signal ?? `exit code ${exit.code}` });
}

/** The work's outcome, or the signal's reason if that comes first; the work goes on by itself. */
async function untilAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
