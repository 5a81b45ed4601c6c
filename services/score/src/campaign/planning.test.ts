import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inference } from '@faultline/contracts';
import fc from 'fast-check';
import { attackClips, cut, predictRows } from '../peers/batches.ts';
import { stackRows, toFloat32 } from '../peers/tensor-rows.ts';
import { isReached, marginOf, targetsOf, victimUnderTest } from '../peers/victim-under-test.ts';
import { linearVictim } from '../test-support/linear-victim.ts';
import { campaignId } from './campaign-id.ts';
import { disjointPartners } from './fusion-check.ts';
import { ProgressMeter, type ProgressState } from './progress.ts';

const { card } = linearVictim('v', { waveform: 1, frames: 1 });
const victim = victimUnderTest('v', inference.DescribeResponse.fromPartial({ card, maxExamples: 20 }));

test('runs are nearly equal, none too long, nothing lost', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 60 }), fc.integer({ min: 1, max: 16 }), (items, size) => {
      const runs = cut(items, size);
      assert.deepEqual(runs.flat(), items);
      const lengths = runs.map((run) => run.length);
      if (lengths.length > 0)
        assert.ok(Math.max(...lengths) <= size && Math.max(...lengths) - Math.min(...lengths) <= 1);
    }),
  );
});

test('batches respect the victim’s limit of examples, each rung being one', () => {
  assert.equal(attackClips(victim, 5), 4);
  assert.equal(attackClips(victim, 40), 1);
  assert.equal(attackClips({ ...victim, maxExamples: 1000 }, 5), 8);
  assert.equal(predictRows({ ...victim, maxExamples: 3 }), 3);
});

test('the margin is the largest true logit above its threshold; within tau it is no verdict yet', () => {
  const logits = Float32Array.of(1, 0.5, -2);
  assert.equal(marginOf(victim, logits, ['bird']), 0.25);
  assert.equal(marginOf(victim, logits, ['bird', 'dog']), 0.75);
  assert.equal(isReached(victim, -victim.tau / 2), false);
  assert.equal(isReached(victim, -victim.tau), true);
  assert.deepEqual([...targetsOf(victim, [['horse'], ['dog', 'bird']])], [0, 0, 1, 1, 1, 0]);
  assert.throws(() => targetsOf(victim, [['cat']]), /no label 'cat'/);
});

test('partners share no label, and are the next such clip', () => {
  assert.deepEqual(disjointPartners([['a'], ['a', 'b'], ['b'], ['c']]), [2, 3, 3, 0]);
  assert.deepEqual(disjointPartners([['a'], ['a']]), [undefined, undefined]);
});

test('pixels become the float32 nearest to value / 255; mixed rows stack as float32', () => {
  assert.deepEqual(toFloat32(Uint8Array.of(0, 1, 255)), Float32Array.of(0, 1 / 255, 1));
  const bytes = { dims: [2], data: Uint8Array.of(0, 255) };
  assert.deepEqual(stackRows([bytes, bytes]).data, Uint8Array.of(0, 255, 0, 255));
  assert.deepEqual(stackRows([bytes, { dims: [2], data: Float32Array.of(0.5, 1) }]), {
    dims: [2, 2],
    data: Float32Array.of(0, 1, 0.5, 1),
  });
});

test('progress adds up overlapping work, never goes back, and estimates from the pace', () => {
  const seen: ProgressState[] = [];
  let now = 0;
  const meter = new ProgressMeter(
    10,
    (state) => seen.push(state),
    () => now,
  );
  const first = meter.begin(4, 'first');
  assert.equal(meter.state.remainingSeconds, -1);
  now = 2000;
  first.advance(0.5);
  assert.deepEqual(meter.state, { progress: 0.2, remainingSeconds: 8, activity: 'first' });
  const beside = meter.begin(1);
  first.advance(0.25);
  beside.done();
  beside.done();
  assert.equal(meter.state.activity, 'first');
  first.done();
  assert.equal(meter.state.progress, 0.5);
  assert.ok(seen.every((state, index) => state.progress >= (seen[index - 1]?.progress ?? 0)));
});

test('identifiers sort by time', () => {
  const [early, late] = [
    campaignId(new Date('2026-01-02T03:04:05.006Z')),
    campaignId(new Date('2026-01-02T03:04:05.007Z')),
  ];
  assert.match(early, /^20260102-030405-006-[0-9a-z]{4}$/);
  assert.ok(early < late);
});
