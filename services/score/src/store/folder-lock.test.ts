import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { lockFolder } from './folder-lock.ts';

let folder = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-lock-'));
});

afterEach(() => rm(folder, { recursive: true }));

test('a held folder is refused, naming the process; a released one is free', async () => {
  {
    await using _held = await lockFolder(folder);
    await assert.rejects(lockFolder(folder), {
      code: 'failed_precondition',
      message: new RegExp(`in use by process ${process.pid}; stop it`),
    });
  }
  await using _again = await lockFolder(folder);
  assert.deepEqual(await readdir(folder), ['lock']);
});

test('the lock of a dead process is taken over', async () => {
  const dead = spawnSync(process.execPath, ['--version']).pid;
  await writeFile(join(folder, 'lock'), `${dead} 12345\n`);
  await using _held = await lockFolder(folder);
  assert.deepEqual(await readdir(folder), ['lock']);
});

test('a later process with the same pid does not count as the holder', async () => {
  await writeFile(join(folder, 'lock'), `${process.pid} 1\n`);
  await using _held = await lockFolder(folder);
});

test('an unreadable lock is taken over', async () => {
  await writeFile(join(folder, 'lock'), '');
  await using _held = await lockFolder(folder);
});

test('of many at once exactly one gets the folder, also when a stale lock lies there', async () => {
  const dead = spawnSync(process.execPath, ['--version']).pid;
  await writeFile(join(folder, 'lock'), `${dead} 12345\n`);
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => lockFolder(folder)));
  const held = outcomes.filter((outcome) => outcome.status === 'fulfilled');
  assert.equal(held.length, 1);
  await held[0]?.value[Symbol.asyncDispose]();
});
