import { FaultlineError } from '@faultline/service-kit';
import { ExitCode } from './exit-code.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The first Ctrl-C (or SIGTERM, or a closed terminal) aborts the signal; the second ends the process at once. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #onSignal = () => this.#interrupt();

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
  }

  #interrupt(): void {
    // Exit listeners kill the services that are still there.
    if (this.#controller.signal.aborted) process.exit(ExitCode.interrupted);
    this.#controller.abort(new FaultlineError('cancelled', 'interrupted'));
  }
}
