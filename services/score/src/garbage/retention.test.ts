import assert from 'node:assert/strict';
import { test } from 'node:test';
import { score } from '@faultline/contracts';
import fc from 'fast-check';
import type { CampaignRecord } from '../store/campaign-record.ts';
import { artefactHorizon, retentionOf, splitCampaigns } from './retention.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const hoursAgo = (hours: number) => new Date(NOW.getTime() - hours * 3_600_000);

function campaign(id: string, startedHoursAgo: number, endedHoursAgo: number | undefined): CampaignRecord {
  return {
    id,
    name: id,
    specification: {},
    state: endedHoursAgo === undefined ? 'running' : 'succeeded',
    startedAt: hoursAgo(startedHoursAgo),
    endedAt: endedHoursAgo === undefined ? undefined : hoursAgo(endedHoursAgo),
    error: '',
    caller: '',
    traceId: '',
    reportJson: undefined,
  };
}

const rules = (change: Partial<score.CollectGarbageRequest>) =>
  retentionOf(score.CollectGarbageRequest.fromPartial(change), NOW);

test('a campaign stays when any rule keeps it', () => {
  const all = [campaign('d', 1, undefined), campaign('c', 2, 1), campaign('b', 30, 25), campaign('a', 60, 50)];
  const kept = (change: Partial<score.CollectGarbageRequest>) =>
    splitCampaigns(all, rules(change)).kept.map(({ id }) => id);
  assert.deepEqual(kept({ keepNewest: 0 }), ['d']);
  assert.deepEqual(kept({ keepNewest: 1 }), ['d', 'c'], 'a running campaign does not count among the newest');
  assert.deepEqual(kept({ keepDays: 1 }), ['d', 'c']);
  assert.deepEqual(kept({ keepNewest: 1, keepDays: 2 }), ['d', 'c', 'b']);
  assert.deepEqual(kept({ keepDays: 1e12 }), ['d', 'c', 'b', 'a']);
});

test('rules that say nothing, or nothing sensible, are refused', () => {
  assert.throws(() => rules({}), /keepNewest: is not set, and neither is keepDays/);
  for (const keepDays of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => rules({ keepDays }), /keepDays: is .*; give a finite number of days/);
  }
});

test('running campaigns always stay, and nothing is lost or told twice', () => {
  const some = fc.array(fc.record({ started: fc.nat(100), ended: fc.option(fc.nat(100), { nil: undefined }) }));
  fc.assert(
    fc.property(some, fc.nat(5), fc.nat(5), (drawn, keepNewest, keepDays) => {
      const all = drawn.map(({ started, ended }, index) => campaign(`${index}`, started, ended));
      const { kept, removed } = splitCampaigns(all, rules({ keepNewest, keepDays }));
      assert.equal(new Set([...kept, ...removed]).size, all.length);
      assert.ok(removed.every(({ endedAt }) => endedAt !== undefined));
      assert.ok(kept.filter(({ endedAt }) => endedAt !== undefined).length >= Math.min(keepNewest, removed.length));
    }),
  );
});

test('artefacts put lately, or since a running campaign began, are spared', () => {
  assert.deepEqual(artefactHorizon([], rules({ keepNewest: 1 }), NOW), hoursAgo(1));
  assert.deepEqual(artefactHorizon([], rules({ keepDays: 2 }), NOW), hoursAgo(48));
  assert.deepEqual(artefactHorizon([campaign('a', 7, undefined)], rules({ keepNewest: 1 }), NOW), hoursAgo(7));
});
