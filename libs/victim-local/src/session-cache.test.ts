import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SessionCache } from './session-cache.ts';

const disposed: string[] = [];
const value = (name: string, bytes: number) => async () => ({
  name,
  bytes,
  async [Symbol.asyncDispose]() {
    disposed.push(name);
  },
});

test('the least recently used go first, by number and by bytes, and never those in use', async () => {
  disposed.length = 0;
  await using cache = new SessionCache({ entries: 3, bytes: 100 });
  for (const [name, bytes] of [
    ['a', 10],
    ['b', 10],
    ['c', 10],
  ] as const)
    await (await cache.take(name, value(name, bytes))).release();
  await (await cache.take('a', value('a', 10))).release();
  const d = await cache.take('d', value('d', 10));
  assert.deepEqual(disposed, ['b']);
  await (await cache.take('e', value('e', 95))).release();
  assert.deepEqual(disposed, ['b', 'c', 'a', 'e'], 'd is in use, so that e cannot stay beside it');
  await d.release();
  assert.equal(cache.bytes, 10);
});

test('a value is made once for all who ask at once, and a failure is not kept', async () => {
  await using cache = new SessionCache({ entries: 3, bytes: 100 });
  let made = 0;
  const make = async () => {
    made++;
    return value('x', 1)();
  };
  const [one, other] = await Promise.all([cache.take('x', make), cache.take('x', make)]);
  assert.equal(one.value, other.value);
  assert.equal(made, 1);
  const failing = () => cache.take('y', () => Promise.reject(new RangeError('no')));
  await assert.rejects(failing(), /no/);
  assert.equal(cache.size, 1);
});
