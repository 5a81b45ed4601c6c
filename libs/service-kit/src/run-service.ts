import { ConfigError, commonConfig, readVariables } from './config.ts';
import { logger, setLogLevel } from './log.ts';
import type { RunningServer } from './server.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

const EXIT_FAILURE = 1;
const EXIT_CONFIG = 2;

/** When the parent is gone nobody waits for answers any more: calls get the first span of time, the whole exit the second. */
const ORPHAN_DRAIN_MS = 500;
const ORPHAN_EXIT_MS = 5000;

/** The variables that the process itself obeys; that there are no unknown ones is checked by the service's loadConfig. */
const processConfig = commonConfig.pick({ exitWithParent: true, logLevel: true });

const log = logger('process');

/** Starts a service: reads its configuration, opens what it needs, and serves. */
export type ServiceMain = () => Promise<RunningServer>;

/**
 * The life of a service process around `main`: telemetry first, then `main`, then one JSON line on standard output when
 * ready (`{"ready":{"service","address","pid"}}`). SIGTERM and SIGINT drain and exit 0, a second one exits at once; with
 * FAULTLINE_EXIT_WITH_PARENT=1 so does the end of standard input, without patience. A configuration error is one line and
 * exit code 2; any other failure, also an uncaught one later, is one log line and exit code 1.
 */
export function runService(main: ServiceMain): void {
  const service = new ServiceProcess();
  service.start(main).catch((error: unknown) => service.fail(error));
}

class ServiceProcess {
  readonly #name = Promise.withResolvers<string>();
  #telemetry: Telemetry | undefined;
  #server: RunningServer | undefined;
  #stopping = false;

  async start(main: ServiceMain): Promise<void> {
    process.on('uncaughtException', (error) => this.fail(error));
    process.on('unhandledRejection', (reason) => this.fail(reason));
    // A reader that went away must not bring the service down with EPIPE.
    process.stdout.on('error', () => {});
    process.stderr.on('error', () => {});
    process.on('SIGTERM', () => this.#stop());
    process.on('SIGINT', () => (this.#stopping ? process.exit(EXIT_FAILURE) : this.#stop()));
    const { exitWithParent, logLevel } = readVariables(processConfig, process.env);
    setLogLevel(logLevel);
    if (exitWithParent) this.#watchParent();
    this.#telemetry = await startTelemetry(this.#name.promise);
    this.#server = await main();
    this.#name.resolve(this.#server.name);
    const ready = { service: this.#server.name, address: this.#server.address, pid: process.pid };
    process.stdout.write(`${JSON.stringify({ ready })}\n`);
  }

  /** Says why, and exits. */
  fail(error: unknown): never {
    if (error instanceof ConfigError) {
      process.stderr.write(`configuration error: ${error.message}\n`);
      process.exit(EXIT_CONFIG);
    }
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    log.error(message, { stack });
    process.exit(EXIT_FAILURE);
  }

  #watchParent(): void {
    const orphaned = () => {
      setTimeout(() => process.exit(EXIT_FAILURE), ORPHAN_EXIT_MS).unref();
      this.#stop(ORPHAN_DRAIN_MS);
    };
    process.stdin.on('end', orphaned).on('close', orphaned).on('error', orphaned).resume();
  }

  #stop(drainTimeoutMs?: number): void {
    if (this.#stopping) {
      // Closing again does no more than shorten the drain.
      if (drainTimeoutMs !== undefined) void this.#server?.close({ drainTimeoutMs });
      return;
    }
    this.#stopping = true;
    log.info('stopping');
    this.#drain(drainTimeoutMs).then(
      () => process.exit(0),
      (error: unknown) => this.fail(error),
    );
  }

  async #drain(drainTimeoutMs: number | undefined): Promise<void> {
    await this.#server?.close(drainTimeoutMs === undefined ? {} : { drainTimeoutMs });
    await this.#telemetry?.shutdown();
  }
}
