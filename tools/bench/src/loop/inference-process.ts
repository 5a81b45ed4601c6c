import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../../services/inference/src/main.ts', import.meta.url));

/** An inference service in a process of its own. */
export interface InferenceProcess extends AsyncDisposable {
  readonly address: string;
}

/** Starts the service on a victim's folder. @throws Error when it does not become ready. */
export async function startInference(victimDir: string, threads: number): Promise<InferenceProcess> {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      ...process.env,
      FAULTLINE_VICTIM_DIR: victimDir,
      FAULTLINE_THREADS: String(threads),
      FAULTLINE_EXIT_WITH_PARENT: '1',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the inference service ended with code ${String(code)} before it was ready`);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = await Promise.race([lines.next(), ended]);
  ended.catch(() => {});
  const { ready } = JSON.parse(String(line.value)) as { readonly ready: { readonly address: string } };
  return {
    address: ready.address,
    async [Symbol.asyncDispose]() {
      const exit = once(child, 'exit');
      child.kill();
      await exit;
    },
  };
}
