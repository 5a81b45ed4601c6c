import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Tensor } from '@faultline/onnx';
import { decodeNpy, encodeNpy } from './npy.ts';

const SCRIPTS = fileURLToPath(new URL('../../peers/', import.meta.url));

/** What a script finds in its folder: arrays as .npy files, all else in `manifest.json`. */
export interface Exchange {
  readonly arrays: ReadonlyMap<string, Tensor>;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** A Python script of tools/bench/peers that answers requests, one at a time. */
export class PeerProcess implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;
  #complaints = '';

  private constructor(folder: string, child: ChildProcessWithoutNullStreams) {
    this.#folder = folder;
    this.#child = child;
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr.on('data', (text: Buffer) => {
      this.#complaints += text.toString();
    });
  }

  /** @param python an interpreter with the packages of requirements.txt */
  static async start(python: string, script: string, threads: number, exchange: Exchange): Promise<PeerProcess> {
    const folder = await mkdtemp(path.join(tmpdir(), 'faultline-peers-'));
    const arrays: Record<string, string> = {};
    for (const [name, tensor] of exchange.arrays) {
      arrays[name] = `${Object.keys(arrays).length}.npy`;
      await writeFile(path.join(folder, arrays[name]), encodeNpy(tensor));
    }
    await writeFile(path.join(folder, 'manifest.json'), JSON.stringify({ arrays, ...exchange.settings }));
    const child = spawn(python, [path.join(SCRIPTS, script), folder, String(threads)], {
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(new Error(`cannot start '${python}'; give --python a path`, { cause })));
    });
    return new PeerProcess(folder, child);
  }

  /** @throws Error with what the script wrote to its standard error, when it ended. */
  async ask(request: Readonly<Record<string, unknown>>): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error(`the peer's script ended:\n${this.#complaints.trim()}`);
    return JSON.parse(value);
  }

  /** An array that the script left in the folder. */
  async take(file: string): Promise<Tensor> {
    return decodeNpy(await readFile(path.join(this.#folder, file)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await ended;
    await rm(this.#folder, { recursive: true });
  }
}
