import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { WORKSPACE } from '../workspace.ts';

/** The command in a process of its own, as a user runs it. Disposing kills it, and with it its services. */
export class FaultlineProcess implements Disposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | NodeJS.Signals>;
  readonly #waiting = new Set<() => void>();
  #stdout = '';
  #stderr = '';

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(FAULTLINE_|OTEL_)/.test(name));
    this.#child = spawn(process.execPath, [join(WORKSPACE, 'tools/cli/bin/faultline.js'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...Object.fromEntries(inherited), ...env },
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => {
        resolve(code ?? signal ?? 'SIGKILL');
        this.#wake();
      });
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** Its exit code, or the signal that ended it. */
  get ended(): Promise<number | NodeJS.Signals> {
    return this.#ended;
  }

  /** Waits until it has written this; throws with all it has written when it ends before. */
  async written(pattern: RegExp): Promise<void> {
    let over = false;
    this.#ended.then(() => {
      over = true;
      this.#wake();
    });
    while (!pattern.test(this.#stdout + this.#stderr)) {
      if (over) throw new Error(`ended without writing ${pattern}:\n${this.#stdout}${this.#stderr}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** The processes that it has started and that still run, by what they are: "services/inference". */
  services(): { readonly pid: number; readonly service: string }[] {
    return processes().flatMap(({ pid, parent, command }) => {
      const service = /services\/[a-z]+(?=\/src\/main\.ts)/.exec(command)?.[0];
      return parent === this.#child.pid && service !== undefined ? [{ pid, service }] : [];
    });
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): Process[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [, pid, parent, command] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return command === undefined ? [] : [{ pid: Number(pid), parent: Number(parent), command }];
  });
}

/** Waits until none of these processes is there any more, or throws after `timeoutMs`. */
export async function gone(pids: readonly number[], timeoutMs: number): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; ; ) {
    const left = processes().filter(({ pid, command }) => pids.includes(pid) && !command.includes('<defunct>'));
    if (left.length === 0) return;
    if (Date.now() > deadline) throw new Error(`still running: ${left.map(({ command }) => command).join('; ')}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const POLL_MS = 100;
