import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planClips } from './clip-plan.ts';
import { makeClips } from './clip-set.ts';
import { evenCasting } from './even-casting.ts';
import { clipLicence } from './licensing.ts';
import { Random } from './random.ts';
import { syntheticEntries, syntheticSources } from './synthetic-sources.ts';
import { trimmed } from './trim-silence.ts';

test('the same pack gives the same clips, bit for bit', async () => {
  const firstTwo = async (): Promise<string[]> => {
    const hashes: string[] = [];
    for await (const { record } of makeClips(syntheticSources(), 'unseen')) {
      hashes.push(record.sha256);
      if (hashes.length === 2) break;
    }
    return hashes;
  };
  assert.deepEqual(await firstTwo(), await firstTwo());
});

test('a plan is stratified from its beginning', () => {
  const plans = planClips(8, new Random('plan'));
  assert.equal(plans.length, 96);
  for (const size of [24, 48, 96]) {
    const counts = new Map<string, number>();
    for (const label of plans.slice(0, size).flatMap(({ labels }) => labels)) {
      counts.set(label, (counts.get(label) ?? 0) + 1);
    }
    assert.equal(counts.size, 12);
    assert.ok(Math.max(...counts.values()) - Math.min(...counts.values()) <= 3, `${size}: ${[...counts]}`);
  }
  assert.equal(plans.slice(0, 48).filter(({ kind }) => kind === 'disagree').length, 6);
});

test('more rounds leave the plan of those before as it was', () => {
  assert.deepEqual(planClips(14, new Random('plan')).slice(0, 96), planClips(8, new Random('plan')));
});

test('an even casting uses every group of a class before it repeats one', () => {
  const casting = evenCasting(syntheticEntries());
  const random = new Random('even');
  const groups = Array.from({ length: 5 }, () => casting.sound('dog', random).group);
  assert.equal(new Set(groups).size, 5);
});

test('GPL sources are refused, share-alike sources decide the licence', () => {
  const [entry] = syntheticEntries();
  assert.ok(entry);
  assert.equal(clipLicence([entry]), 'CC-BY-4.0');
  assert.equal(clipLicence([entry, { ...entry, licence: 'CC-BY-SA-3.0', licenceFamily: 'cc' }]), 'CC-BY-SA-4.0');
  assert.throws(
    () => clipLicence([{ ...entry, licence: 'GPL-2', licenceFamily: 'gpl' }]),
    /GPL-2; shipped clips take no/,
  );
});

test('silence is trimmed at the ends only', () => {
  const samples = new Int16Array(16_000);
  samples.fill(1000, 4000, 5000);
  samples.fill(1000, 9000, 10_000);
  const kept = trimmed(samples);
  assert.ok(kept.length >= 6000 && kept.length <= 7000, `${kept.length}`);
  assert.equal(trimmed(new Int16Array(1000)).length, 0);
});
