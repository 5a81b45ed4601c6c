import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A service in a process of its own, as it is started in earnest: for tests. */
export class ServiceProcess implements AsyncDisposable {
  readonly address: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, address: string) {
    this.#child = child;
    this.address = address;
  }

  /** Starts services/`name` and waits until it is ready. */
  static async start(name: string, environment: Readonly<Record<string, string>>): Promise<ServiceProcess> {
    const main = fileURLToPath(new URL(`../../../services/${name}/src/main.ts`, import.meta.url));
    const child = spawn(process.execPath, [main], {
      env: { FAULTLINE_LOG_LEVEL: 'error', FAULTLINE_EXIT_WITH_PARENT: '1', ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const { ready }: { ready: { address: string } } = JSON.parse(line);
      return new ServiceProcess(child, ready.address);
    }
    throw new Error(`${name} ended before it was ready`);
  }

  /** Process number. */
  get pid(): number {
    return this.#child.pid ?? Number.NaN;
  }

  /** Asks it to stop and waits until it has; the exit code, or null when a signal ended it. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exited;
    }
    return this.#child.exitCode;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}
