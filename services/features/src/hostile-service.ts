import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { features } from '@faultline/contracts';
import { connect, FaultlineError, HealthService, ServingStatus } from '@faultline/service-kit';
import type { HostileFile } from './hostile-media.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const CALL_DEADLINE_MS = 60_000;
const INPUTS = [
  { name: 'sound', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: 16_000 } } },
  { name: 'sight', kind: { $case: 'frames', value: { frameRateHz: 4, frames: 4, height: 16, width: 16 } } },
] satisfies features.ExtractRequest['inputs'];
/** Every third file is asked for a window, every third in pieces. */
const WAYS = 3;

/** A features process under fire. */
export class HostileService implements Disposable {
  readonly #process: ChildProcess;
  readonly #address: string;

  private constructor(process: ChildProcess, address: string) {
    this.#process = process;
    this.#address = address;
  }

  static async start(): Promise<HostileService> {
    const child = spawn(process.execPath, [MAIN], {
      env: { FAULTLINE_DECODERS: '1', FAULTLINE_DECODE_TIME_LIMIT_MS: '5000', FAULTLINE_LOG_LEVEL: 'error' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const { ready } = JSON.parse(line) as { ready: { address: string } };
      return new HostileService(child, ready.address);
    }
    throw new Error('the service ended before it was ready');
  }

  /** Sends each file; the answer must be inputs or INVALID_ARGUMENT. Returns how many were refused. */
  async withstand(files: readonly HostileFile[]): Promise<number> {
    using client = connect(features.FeaturesServiceService, this.#address);
    let refused = 0;
    for (const [index, file] of files.entries()) {
      const way = index % WAYS;
      const window = way === 1 ? { startSeconds: 0.4, durationSeconds: 0.2 } : undefined;
      const request = { context: undefined, media: file.bytes, inputs: INPUTS, window };
      try {
        if (way === 2) await this.#upload(client.extractStream({ deadlineMs: CALL_DEADLINE_MS }), file.bytes);
        else await client.extract(request, { deadlineMs: CALL_DEADLINE_MS });
      } catch (error) {
        assert.ok(error instanceof FaultlineError);
        assert.equal(error.code, 'invalid_argument', `${file.name}: ${error.message}`);
        assert.ok(error.violations.length > 0, `${file.name}: no field is named`);
        refused++;
      }
    }
    return refused;
  }

  async healthy(): Promise<boolean> {
    using health = connect(HealthService, this.#address);
    const { status } = await health.check({ service: '' });
    return status === ServingStatus.SERVING && this.#process.exitCode === null;
  }

  /** Resident memory of the service and its decoders, in MiB. */
  async memoryMib(): Promise<number> {
    const { pid } = this.#process;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    const pids = [String(pid), ...children.split(' ').filter(Boolean)];
    const sizes = await Promise.all(pids.map(residentKib));
    return sizes.reduce((sum, size) => sum + size, 0) / 1024;
  }

  [Symbol.dispose](): void {
    this.#process.kill('SIGKILL');
  }

  async #upload(call: ReturnType<FeaturesClient['extractStream']>, bytes: Buffer): Promise<void> {
    const sending = (async () => {
      await call.send({
        kind: { $case: 'open', value: { context: undefined, inputs: INPUTS, windows: [] } },
      });
      await call.send({ kind: { $case: 'media', value: bytes } });
      call.end();
    })();
    sending.catch(() => {});
    for await (const { inputs } of call.responses) assert.equal(inputs.length, INPUTS.length);
  }
}

type FeaturesClient = ReturnType<typeof connect<typeof features.FeaturesServiceService>>;

async function residentKib(pid: string): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
}
