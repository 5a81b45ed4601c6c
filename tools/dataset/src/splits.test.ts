import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LABELS } from './labels.ts';
import type { SourceEntry, SourceKind } from './manifest.ts';
import { assignSplits, checkGroups, validationGroups } from './splits.ts';
import { syntheticEntries } from './synthetic-sources.ts';

/** Entries whose groups may cross classes and kinds, but not the pack's own split. */
const packs = fc
  .array(
    fc.record({
      kind: fc.constantFrom<SourceKind>('audio', 'image', 'background', 'noise'),
      label: fc.constantFrom(...LABELS.slice(0, 3)),
      split: fc.constantFrom<'train' | 'test'>('train', 'test'),
      group: fc.nat(12),
    }),
    { minLength: 1, maxLength: 80 },
  )
  .map((drafts) =>
    drafts.map(({ kind, label, split, group }, at): SourceEntry => {
      const scenery = kind === 'background' || kind === 'noise';
      return {
        ...(syntheticEntries()[0] as SourceEntry),
        id: `s${at}`,
        kind,
        class: scenery ? null : label,
        group: `${split}-${group}`,
        split,
      };
    }),
  );

test('no group is in two splits, whatever the pack', () => {
  fc.assert(
    fc.property(packs, (entries) => {
      const splits = assignSplits(entries);
      const seen = new Map<string, string>();
      for (const entry of entries) {
        const split = splits.get(entry.id);
        assert.equal(split === 'test', entry.split === 'test');
        assert.equal(seen.get(entry.group) ?? split, split);
        seen.set(entry.group, split ?? '');
      }
    }),
    { numRuns: 60 },
  );
});

test('every class keeps groups for training and lends at least one to validation', () => {
  const entries = syntheticEntries();
  const splits = assignSplits(entries);
  for (const label of LABELS) {
    for (const kind of ['audio', 'image']) {
      const own = entries.filter((entry) => entry.kind === kind && entry.class === label);
      const splitsPresent = new Set(own.map(({ id }) => splits.get(id)));
      assert.deepEqual([...splitsPresent].sort(), ['test', 'train', 'validation'], `${kind} ${label}`);
    }
  }
});

test('the validation groups are always the same', () => {
  assert.deepEqual(validationGroups(syntheticEntries()), validationGroups(syntheticEntries().toReversed()));
});

test('a group that leaks is reported by name', () => {
  const [first, second] = syntheticEntries();
  assert.ok(first && second);
  const splits = new Map([
    [first.id, 'train'],
    [second.id, 'test'],
  ] as const);
  assert.throws(
    () => checkGroups([first, second], splits),
    new RegExp(`group "${first.group}" is in train and in test`),
  );
});
