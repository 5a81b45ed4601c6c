import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readEndpoint, removeEndpoint, writeEndpoint } from './endpoint.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-test-'));
});
after(() => rm(folder, { recursive: true }));

test('an endpoint is found while its process lives, and gone when removed', async () => {
  const endpoint = { score: '127.0.0.1:5000', pid: process.pid, traceDir: '/nowhere', logDir: '/nowhere' };
  await writeEndpoint(join(folder, 'runs'), endpoint);
  assert.deepEqual(await readEndpoint(join(folder, 'runs')), endpoint);
  await removeEndpoint(join(folder, 'runs'));
  assert.equal(await readEndpoint(join(folder, 'runs')), undefined);
});

test('the endpoint of a process that has gone is no endpoint', async () => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  await writeEndpoint(folder, { score: '127.0.0.1:5000', pid, traceDir: '/nowhere', logDir: '/nowhere' });
  assert.equal(await readEndpoint(folder), undefined);
});

test('a damaged endpoint file is no endpoint', async () => {
  await writeFile(join(folder, 'endpoint.json'), '{"score":');
  assert.equal(await readEndpoint(folder), undefined);
});
