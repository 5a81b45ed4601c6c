import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inference } from '@faultline/contracts';
import { connect } from './client.ts';
import { FaultlineError } from './errors.ts';
import { rejection } from './test-services.ts';

const MAIN = fileURLToPath(new URL('./test-service-main.ts', import.meta.url));

function start(env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env.PATH, ...env }, stdio: 'pipe' });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  return { child, exit, errors: text(child.stderr) };
}

/** The first line on standard output. */
async function readyLine(child: ChildProcess) {
  assert.ok(child.stdout !== null);
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line).ready;
  throw new Error('the service ended before it was ready');
}

test('a service says when it is ready, drains on SIGTERM and exits with 0, spans written', async () => {
  const traceDir = await mkdtemp(join(tmpdir(), 'spans-'));
  const { child, exit, errors } = start({ FAULTLINE_TRACE_DIR: traceDir });
  const ready = await readyLine(child);
  assert.equal(ready.service, 'inference');
  assert.equal(ready.pid, child.pid);
  using client = connect(inference.InferenceServiceService, ready.address);
  const call = client.optimize();
  await call.responses.next();
  child.kill('SIGTERM');
  const error = await rejection(call.responses.next());
  assert.ok(error instanceof FaultlineError && error.code === 'unavailable');
  assert.equal(await exit, 0);
  assert.match(await errors, /closed\n$/);
  const spans = await readFile(join(traceDir, `inference-${ready.pid}.jsonl`), 'utf8');
  const names = spans
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).name);
  assert.deepEqual(names, ['start', 'faultline.inference.v1alpha1.InferenceService/Optimize']);
  await rm(traceDir, { recursive: true });
});

test('a service whose parent goes away stops by itself', async () => {
  const { child, exit, errors } = start({ FAULTLINE_EXIT_WITH_PARENT: '1' });
  await readyLine(child);
  child.stdin.end();
  assert.equal(await exit, 0);
  assert.match(await errors, /closed\n$/);
});

test('a configuration error is one line and exit code 2', async () => {
  const { exit, errors } = start({ FAULTLINE_PROT: '1' });
  assert.equal(await exit, 2);
  assert.match(await errors, /^configuration error: FAULTLINE_PROT is not a known variable \(known: [A-Z_, ]*\)\n$/);
});

test('any other failure is one log line and exit code 1, at the start and later', async () => {
  const failures = { start: 'the model does not fit', later: 'nobody caught this' };
  for (const [failure, message] of Object.entries(failures)) {
    const { exit, errors } = start({ FAULTLINE_FAILURE: failure });
    assert.equal(await exit, 1);
    const lines = (await errors).trimEnd().split('\n');
    assert.equal(lines.length, 1);
    const { level, message: logged } = JSON.parse(lines[0] ?? '');
    assert.deepEqual({ level, logged }, { level: 'error', logged: message });
  }
});
