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

/** What the kernel lets a decoder process take. */
export interface DecoderLimits {
  /** What decoding may allocate, in MiB. */
  readonly memoryMib: number;
  /** Processor time in all: ends a process that hangs when nobody is left to end it. */
  readonly cpuSeconds: number;
}

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
  #cpuSeconds = 0;
  #waiting: PromiseWithResolvers<DecoderMessage> | undefined;
  /** Resolves when the process has said that it is ready; rejects with DecoderExitError if it ends before. */
  readonly ready: Promise<unknown>;
  /** Resolves when the process has ended. */
  readonly exited: Promise<DecoderExit>;

  constructor(limits: DecoderLimits) {
    this.#child = spawnLimited(limits);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#output = (this.#output + text).slice(0, KEPT_OUTPUT_CHARACTERS);
    });
    this.#child.on('message', (received) => {
      const message = received as DecoderMessage;
      if (message.kind === 'inputs') this.#cpuSeconds = message.cpuSeconds;
      this.#waiting?.resolve(message);
    });
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

  /** Processor time that it had taken when it last gave inputs. */
  get cpuSeconds(): number {
    return this.#cpuSeconds;
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

/** Starts the worker below limits that the kernel enforces; on the data segment, so that an allocation above it fails. */
function spawnLimited({ memoryMib, cpuSeconds }: DecoderLimits): ChildProcess {
  const dataKib = (RESERVED_MIB + memoryMib) * KIB_PER_MIB;
  const limited = `ulimit -d ${dataKib} && ulimit -t ${cpuSeconds} && exec "$0" "$@"`;
  const worker = [process.execPath, `--max-old-space-size=${HEAP_MIB}`, WORKER];
  return spawn('/bin/sh', ['-c', limited, ...worker], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
    // Nothing of the service's environment is a decoder's business.
    env: {},
  });
}
