import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SPLITS } from '../splits.ts';
import { type Grouped, SPLIT_SHARES, splitByGroup } from './group-splits.ts';

const clip = (id: number, group: string, labels: readonly string[], digest = `d${id}`): Grouped => ({
  id: `c${id}`,
  group,
  labels,
  digest,
});

test('no test group, and no data of it, ever appears in training', () => {
  const listing = fc.array(
    fc.record({ group: fc.nat(12), label: fc.constantFrom('a', 'b', 'c'), digest: fc.nat(30) }),
    { minLength: 1, maxLength: 60 },
  );
  fc.assert(
    fc.property(listing, fc.nat(100), (clips, seed) => {
      const items = clips.map(({ group, label, digest }, at) => clip(at, `g${group}`, [label], `d${digest}`));
      const { splits, groups } = splitByGroup(items, SPLIT_SHARES, seed);
      for (const of of [
        (item: Grouped) => item.group,
        (item: Grouped) => item.digest,
        (item: Grouped) => groups.get(item.id),
      ]) {
        const places = Map.groupBy(items, of);
        for (const own of places.values()) assert.equal(new Set(own.map(({ id }) => splits.get(id))).size, 1);
      }
    }),
    { numRuns: 60 },
  );
});

test('splits hold their share of every label, a rare one too, and depend on the seed alone', () => {
  const items = Array.from({ length: 1000 }, (_, at) =>
    clip(at, `g${at % 250}`, at % 250 < 20 ? ['rare'] : ['common']),
  );
  const { splits } = splitByGroup(items, SPLIT_SHARES, 1);
  for (const split of SPLITS) {
    for (const label of ['rare', 'common']) {
      const own = items.filter((item) => item.labels.includes(label));
      const share = own.filter(({ id }) => splits.get(id) === split).length / own.length;
      assert.ok(Math.abs(share - SPLIT_SHARES[split]) < 0.03, `${split} ${label} ${share}`);
    }
  }
  assert.deepEqual(splitByGroup(items.toReversed(), SPLIT_SHARES, 1).splits.get('c7'), splits.get('c7'));
  assert.notDeepEqual(splitByGroup(items, SPLIT_SHARES, 2).splits, splits);
});

test('splits of the listing are kept, unless they share a group or data', () => {
  const own = (id: number, group: string, split: 'train' | 'test', digest?: string) => ({
    ...clip(id, group, ['a'], digest),
    split,
  });
  const { splits } = splitByGroup([own(1, 'g', 'test'), own(2, 'h', 'train')], SPLIT_SHARES, 1);
  assert.deepEqual([splits.get('c1'), splits.get('c2')], ['test', 'train']);
  const refused = (items: readonly Grouped[]) =>
    assert.throws(() => splitByGroup(items, SPLIT_SHARES, 1), /is in test and in train/);
  refused([own(1, 'g', 'test'), own(2, 'g', 'train')]);
  refused([own(1, 'g', 'test', 'same'), own(2, 'h', 'train', 'same')]);
});
