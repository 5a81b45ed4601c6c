import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { DecodeRequest, DecoderMessage } from './decoder-messages.ts';

const WORKER = fileURLToPath(new URL('./decoder-worker.ts', import.meta.url));
/** A decoder's JavaScript only moves bytes about; the memory that media needs is outside this heap. */
const HEAP_MIB = 256;
const KIB_PER_MIB = 1024;
/** What the limit counts before any media arrives: V8 reserves 512 MiB for code that it never uses, Node and FFmpeg 150. */
const RESERVED_MIB = 768;
/** Kept of what a decoder prints: enough for a fatal error's first lines. */
const KEPT_OUTPUT_CHARACTERS = 2000;

/** How a decoder process ended. */
export interface DecoderExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The beginning of what it printed. */
  readonly output: string;
}

/** Thrown to whoever waits for a decoder process that ended. */
export class DecoderExitError extends Error {
  override name = 'DecoderExitError';
  readonly exit: DecoderExit;

  constructor(exit: DecoderExit) {
    super(`the decoder process ended (${exit.signal ?? `exit code ${exit.code}`})`);
    this.exit = exit;
  }
}

/** The parent's end of one decoder process; it decodes one media file at a time. */
export class DecoderProcess {
  readonly #child: ChildProcess;
  #output = '';
  #alive = true;
  #files = 0;
  #waiting: PromiseWithResolvers<DecoderMessage> | undefined;
  /** Resolves when the process has said that it is ready; rejects with DecoderExitError if it ends before. */
  readonly ready: Promise<unknown>;
  /** Resolves when the process has ended. */
  readonly exited: Promise<DecoderExit>;

  /** @param memoryLimitMib what decoding may allocate, in MiB */
  constructor(memoryLimitMib: number) {
    this.#child = spawnLimited(memoryLimitMib);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(0, KEPT_OUTPUT_CHARACTERS);
    });
    this.#child.on('message', (message) => this.#waiting?.resolve(message as DecoderMessage));
    this.exited = new Promise((resolve) => {
      this.#child.on('error', (error) => resolve({ code: null, signal: null, output: error.message }));
      this.#child.on('close', (code, signal) => resolve({ code, signal, output: this.#output }));
    });
    this.ready = this.#nextMessage();
    void this.exited.then((exit) => {
      this.#alive = false;
      this.#waiting?.reject(new DecoderExitError(exit));
    });
  }

  /** How many files it was given. */
  get files(): number {
    return this.#files;
  }

  get alive(): boolean {
    return this.#alive;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** @throws DecoderExitError when the process ends before it answers. */
  decode(request: DecodeRequest): Promise<DecoderMessage> {
    this.#files++;
    const answer = this.#nextMessage();
    this.#child.send(request, (error) => {
      // The process is on its way out; `exited` says how.
      if (error) this.kill();
    });
    return answer;
  }

  /** Ends the process at once, whatever it does. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #nextMessage(): Promise<DecoderMessage> {
    this.#waiting = Promise.withResolvers<DecoderMessage>();
    return this.#waiting.promise;
  }
}

/** Starts the worker below a limit on its data segment, which the kernel enforces: an allocation above it fails. */
function spawnLimited(memoryLimitMib: number): ChildProcess {
  const limited = `ulimit -d ${(RESERVED_MIB + memoryLimitMib) * KIB_PER_MIB} && exec "$0" "$@"`;
  const worker = [process.execPath, `--max-old-space-size=${HEAP_MIB}`, WORKER];
  return spawn('/bin/sh', ['-c', limited, ...worker], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    // Nothing of the service's environment is a decoder's business.
    env: {},
  });
}
