import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RemoteVictim } from '@faultline/victim-grpc';
import { inputs, victimFolder } from './test-support/two-layer-victim.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

/** Ends the compute thread of the process when it is told to. */
const KILL_SWITCH = `data:text/javascript,process.on('worker', (worker) => process.on('SIGUSR2', () => worker.terminate()))`;

async function start(folder: string) {
  const child = spawn(process.execPath, ['--import', KILL_SWITCH, MAIN], {
    env: { ...process.env, FAULTLINE_VICTIM_DIR: folder, FAULTLINE_THREADS: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const errors: string[] = [];
  child.stderr.on('data', (text: Buffer) => errors.push(text.toString()));
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  const { ready } = JSON.parse(String(line)) as { readonly ready: { readonly address: string } };
  return { child, address: ready.address, errors };
}

test('a service whose compute thread died says so and exits, for its supervisor to start anew; one that is stopped exits in order', async () => {
  await using files = await victimFolder();
  for (const [signal, code, log] of [
    ['SIGUSR2', 1, /the compute thread died; exiting/],
    ['SIGTERM', 0, /stopping/],
  ] as const) {
    const { child, address, errors } = await start(files.folder);
    await using victim = new RemoteVictim(address);
    assert.equal((await victim.predict(inputs)).cost.forwardExamples, 2);
    const exit = once(child, 'exit');
    child.kill(signal);
    assert.deepEqual(await exit, [code, null]);
    assert.match(errors.join(''), log);
  }
});
