import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CountedLookup, InputCache, type InputRow } from './input-cache.ts';

const row = (bytes: number): InputRow => ({ dims: [bytes], data: new Uint8Array(bytes) });

test('the least recently used rows go first, and a row that never fits is not kept', () => {
  const cache = new InputCache(10);
  cache.set('a', 's', row(4));
  cache.set('b', 's', row(4));
  assert.notEqual(cache.get('a', 's'), undefined);
  cache.set('c', 's', row(4));
  assert.equal(cache.get('b', 's'), undefined, 'b was used least recently');
  assert.notEqual(cache.get('a', 's'), undefined);
  cache.set('d', 's', row(11));
  assert.equal(cache.get('d', 's'), undefined);
  assert.equal(cache.bytes, 8);
});

test('one media with two specifications is two rows', () => {
  const cache = new InputCache(10);
  cache.set('a', 's', row(1));
  assert.equal(cache.get('a', 't'), undefined);
});

test('the bytes are those of the rows that are kept, never over the bound', () => {
  const operation = fc.record({ media: fc.constantFrom('a', 'b', 'c', 'd'), bytes: fc.nat(12), lookUp: fc.boolean() });
  fc.assert(
    fc.property(fc.array(operation), fc.nat(20), (operations, bound) => {
      const cache = new InputCache(bound);
      for (const { media, bytes, lookUp } of operations) {
        if (lookUp) cache.get(media, 's');
        else cache.set(media, 's', row(bytes));
        const kept = ['a', 'b', 'c', 'd'].flatMap((name) => cache.get(name, 's') ?? []);
        assert.equal(
          cache.bytes,
          kept.reduce((sum, { data }) => sum + data.byteLength, 0),
        );
        assert.ok(cache.bytes <= bound);
      }
    }),
  );
});

test('each user of the cache has counts of its own', () => {
  const cache = new InputCache(10);
  const [first, second] = [new CountedLookup(cache), new CountedLookup(cache)];
  first.get('a', 's');
  first.set('a', 's', row(1));
  second.get('a', 's');
  assert.deepEqual([first.hits, first.misses, second.hits, second.misses], [0, 1, 1, 0]);
});
