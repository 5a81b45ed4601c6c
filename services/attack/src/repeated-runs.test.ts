import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { RepeatedRuns } from './repeated-runs.ts';

const MEBIBYTE = 1024 * 1024;
const NEVER = new AbortController().signal;

async function all(messages: AsyncIterable<number>): Promise<number[]> {
  const read: number[] = [];
  for await (const message of messages) read.push(message);
  return read;
}

/** Runs that tell the numbers 1 .. count, a gate each; how often one was started, and whether it was aborted. */
function numbers(count: number) {
  const gates = Array.from({ length: count }, () => Promise.withResolvers<void>());
  const seen = { started: 0, aborted: 0, told: 0 };
  async function* start(signal: AbortSignal) {
    seen.started += 1;
    signal.addEventListener('abort', () => {
      seen.aborted += 1;
      for (const gate of gates) {
        gate.promise.catch(() => {});
        gate.reject(signal.reason);
      }
    });
    for (const [index, gate] of gates.entries()) {
      await gate.promise;
      seen.told += 1;
      yield index + 1;
    }
  }
  return { start, seen, open: (gate: number) => gates[gate]?.resolve() };
}

const identity = (key: string) => ({ key, requestDigest: `digest of ${key}` });

test('callers of one key are told the same, whenever they come', async () => {
  using runs = new RepeatedRuns<number>(() => 1);
  const { start, seen, open } = numbers(3);
  const first = all(runs.follow(identity('a'), start, NEVER));
  open(0);
  await turn();
  const second = all(runs.follow(identity('a'), start, NEVER));
  open(1);
  open(2);
  assert.deepEqual(await Promise.all([first, second]), [
    [1, 2, 3],
    [1, 2, 3],
  ]);
  assert.deepEqual(await all(runs.follow(identity('a'), start, NEVER)), [1, 2, 3]);
  assert.deepEqual(seen, { started: 1, aborted: 0, told: 3 });
});

test('a key stands for one request', async () => {
  using runs = new RepeatedRuns<number>(() => 1);
  const { start, open } = numbers(1);
  open(0);
  await all(runs.follow(identity('a'), start, NEVER));
  assert.throws(() => runs.follow({ key: 'a', requestDigest: 'another' }, start, NEVER), { code: 'invalid_argument' });
});

test('a failed run is told to all who wait, and forgotten', async () => {
  using runs = new RepeatedRuns<number>(() => 1);
  let started = 0;
  async function* failing() {
    started += 1;
    yield started;
    throw new Error(`failure ${started}`);
  }
  const both = [all(runs.follow(identity('a'), failing, NEVER)), all(runs.follow(identity('a'), failing, NEVER))];
  for (const one of both) await assert.rejects(one, /failure 1/);
  await assert.rejects(all(runs.follow(identity('a'), failing, NEVER)), /failure 2/);
});

test('a run ends when its last caller leaves, and can be started again', async () => {
  using runs = new RepeatedRuns<number>(() => 1);
  const { start, seen, open } = numbers(3);
  const [leaving, staying] = [new AbortController(), new AbortController()];
  const first = all(runs.follow(identity('a'), start, leaving.signal));
  const second = all(runs.follow(identity('a'), start, staying.signal));
  open(0);
  await turn();
  leaving.abort(new Error('gone'));
  await assert.rejects(first, /gone/);
  assert.equal(seen.aborted, 0);
  staying.abort(new Error('gone, too'));
  await assert.rejects(second, /gone, too/);
  assert.equal(seen.aborted, 1);
  const again = numbers(1);
  again.open(0);
  assert.deepEqual(await all(runs.follow(identity('a'), again.start, NEVER)), [1]);
});

test('a run that is too large to keep is told once, no faster than it is read', async () => {
  using runs = new RepeatedRuns<number>(() => 10 * MEBIBYTE);
  const { start, seen, open } = numbers(6);
  for (let gate = 0; gate < 6; gate += 1) open(gate);
  const messages = runs.follow(identity('a'), start, NEVER)[Symbol.asyncIterator]();
  assert.deepEqual((await messages.next()).value, 1);
  for (let turns = 0; turns < 20; turns += 1) await turn();
  assert.equal(seen.told, 2);
  assert.throws(() => runs.follow(identity('a'), start, NEVER), { code: 'already_exists' });
  const rest: unknown[] = [];
  for (let next = await messages.next(); !next.done; next = await messages.next()) rest.push(next.value);
  assert.deepEqual(rest, [2, 3, 4, 5, 6]);
  await turn();
  const again = numbers(1);
  again.open(0);
  assert.deepEqual(await all(runs.follow(identity('a'), again.start, NEVER)), [1]);
});

test('finished runs are kept as far as they fit, the latest first', async () => {
  using runs = new RepeatedRuns<number>(() => 15 * MEBIBYTE);
  let started = 0;
  async function* one() {
    started += 1;
    yield 1;
  }
  for (const key of ['a', 'b', 'c', 'd', 'e']) {
    await all(runs.follow(identity(key), one, NEVER));
    await turn();
  }
  for (const key of ['b', 'c', 'd', 'e']) await all(runs.follow(identity(key), one, NEVER));
  assert.equal(started, 5);
  await all(runs.follow(identity('a'), one, NEVER));
  assert.equal(started, 6);
});
