import { FaultlineError } from '@faultline/service-kit';
import { ExitCode } from './exit-code.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** npm passes on a Ctrl-C that the terminal has sent to us already; nobody presses twice within this time. */
const SAME_PRESS_MS = 300;

/** The first Ctrl-C (or SIGTERM, or a closed terminal) aborts the signal; a second Ctrl-C ends the process at once. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #onSignal = (name: NodeJS.Signals) => this.#interrupt(name);
  #firstAt = 0;

  constructor() {
    for (const name of SIGNALS) process.on(name, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of SIGNALS) process.off(name, this.#onSignal);
  }

  #interrupt(name: NodeJS.Signals): void {
    if (!this.#controller.signal.aborted) {
      this.#firstAt = performance.now();
      this.#controller.abort(new FaultlineError('cancelled', 'interrupted'));
    } else if (name === 'SIGINT' && performance.now() - this.#firstAt > SAME_PRESS_MS) {
      // Exit listeners kill the services that are still there.
      process.exit(ExitCode.interrupted);
    }
  }
}
