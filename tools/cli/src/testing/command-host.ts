import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that runs one command line after another: it starts once, where each command of a user starts anew. */
export class CommandHost implements Disposable {
  readonly #child: ChildProcess;

  constructor() {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(FAULTLINE_|OTEL_)/.test(name));
    this.#child = fork(join(import.meta.dirname, 'command-host-main.ts'), { env: Object.fromEntries(inherited) });
  }

  /** One at a time. */
  async run(args: readonly string[]): Promise<Outcome> {
    const waiting = new AbortController();
    const options = { signal: waiting.signal };
    this.#child.send({ args });
    const ended = once(this.#child, 'exit', options).then(([code]) => {
      throw new Error(`the process of the commands ended with ${code}`);
    });
    try {
      const [outcome] = await Promise.race([once(this.#child, 'message', options), ended]);
      return outcome;
    } finally {
      ended.catch(() => {});
      waiting.abort();
    }
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}
