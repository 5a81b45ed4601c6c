import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FaultlineError } from '@faultline/service-kit';
import { z } from 'zod';

/** Lines of a service's standard error that are kept for the error message. */
const LAST_LINES = 20;

const readyLine = z.object({ ready: z.object({ service: z.string(), address: z.string(), pid: z.number() }) });

export interface ServiceProcessOptions {
  /** For people: "inference (late)". */
  readonly name: string;
  /** Path of its main.ts. */
  readonly main: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** File that keeps its standard error. Its folder exists. */
  readonly logFile: string;
  /** Gets each line of its standard error, at once. */
  readonly onLog?: ((name: string, line: string) => void) | undefined;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One service in a process of its own. */
export class ServiceProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #child: ChildProcess;
  readonly #ready = Promise.withResolvers<string>();
  readonly #ended = Promise.withResolvers<Ending>();
  readonly #lastLines: string[] = [];
  #stopping = false;

  constructor({ name, main, cwd, env, logFile, onLog }: ServiceProcessOptions) {
    this.name = name;
    this.logFile = logFile;
    writeFileSync(logFile, '');
    // A process group of its own, so that Ctrl-C in a terminal reaches this process alone, which then stops the services in
    // order. The open pipe on standard input is what tells a service that its parent has gone, even after a kill -9.
    this.#child = spawn(process.execPath, [main], {
      cwd,
      env: { ...env, FAULTLINE_EXIT_WITH_PARENT: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child.stdin?.on('error', () => {});
    this.#readLines(onLog);
    this.#child.on('error', (error) => this.#finish({ code: null, signal: null }, error.message));
    this.#child.on('close', (code, signal) => this.#finish({ code, signal }));
    this.#ready.promise.catch(() => {});
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Its address, once it serves. Rejects when it ends before. */
  get ready(): Promise<string> {
    return this.#ready.promise;
  }

  get ended(): Promise<Ending> {
    return this.#ended.promise;
  }

  /** What its end means, when nobody asked for it; with what it said last. */
  unexpectedEnd({ code, signal }: Ending): FaultlineError | undefined {
    if (this.#stopping) return undefined;
    const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
    const said = this.#lastLines.length === 0 ? '' : `; it said last:\n  ${this.#lastLines.join('\n  ')}`;
    const where = `its log is ${this.logFile}`;
    return new FaultlineError('unavailable', `service ${this.name} (pid ${this.pid}) ended ${how}; ${where}${said}`);
  }

  /** Asks it to end, and kills it after the grace. Resolves when it is gone. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Ends it and its own children at once. */
  kill(): void {
    this.#stopping = true;
    if (this.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // It ended in this very moment.
    }
  }

  #readLines(onLog: ServiceProcessOptions['onLog']): void {
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) return;
    createInterface({ input: stdout }).on('line', (line) => {
      const ready = readyLine.safeParse(parseJson(line));
      if (ready.success) this.#ready.resolve(ready.data.ready.address);
    });
    createInterface({ input: stderr }).on('line', (line) => {
      this.#keep(line);
      this.#lastLines.push(line);
      if (this.#lastLines.length > LAST_LINES) this.#lastLines.shift();
      onLog?.(this.name, line);
    });
  }

  /** Lines are few at the usual level, and must be in the file when this process is killed. */
  #keep(line: string): void {
    try {
      appendFileSync(this.logFile, `${line}\n`);
    } catch {
      // A full disk, or a folder that somebody removed: no reason to end a campaign.
    }
  }

  #finish(ending: Ending, spawnProblem?: string): void {
    if (spawnProblem !== undefined) this.#lastLines.push(spawnProblem);
    this.#ended.resolve(ending);
    this.#ready.reject(
      this.unexpectedEnd(ending) ??
        new FaultlineError('cancelled', `service ${this.name} was stopped before it was ready`),
    );
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
