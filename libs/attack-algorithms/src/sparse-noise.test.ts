import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';
import { collectSearch } from './testing/search-setting.ts';

const CLIPS = 4;
const BUDGET = 7;
const linear = await LinearVictim.create(4);
const inputs = linear.clips(CLIPS, 0.2, 6);
after(() => linear[Symbol.asyncDispose]());

const BASE: RunOptions = {
  inputs,
  labels: Array.from({ length: CLIPS }, () => [0]),
  labelCount: 3,
  norm: 'l0',
  budgets: new Map([['waveform', BUDGET]]),
  rungs: [[1, 'never']],
  attack: 'noise',
};

const changed = (point: Float32Array | undefined, clip: number) => {
  const size = point?.length ?? 0;
  const clean = floats(inputs.get('waveform')).subarray(clip * size, (clip + 1) * size);
  return [...(point ?? []).keys()].filter((index) => point?.[index] !== clean[index]);
};

for (const distribution of ['signs', 'uniform', 'gaussian']) {
  test(`noise in L0 changes as many coordinates as it may, inside the range and the region: ${distribution}`, async () => {
    const region = attack.Region.fromPartial({ windows: [{ startSeconds: 0, endSeconds: 0.01 }] });
    const options: RunOptions = { ...BASE, parameters: { distribution }, regions: new Map([['waveform', region]]) };
    const { rows } = await collect(linear.victim, runOf(options));
    assert.equal(rows.length, CLIPS);
    const choices = rows.map(({ clip, point }) => changed(point.get('waveform'), clip));
    for (const [clip, coordinates] of choices.entries()) {
      assert.equal(coordinates.length, BUDGET);
      // 16 kHz: the region is the first 160 samples.
      assert.ok(coordinates.every((index) => index < 160));
      assert.ok(rows[clip]?.point.get('waveform')?.every((value) => value >= -1 && value <= 1));
    }
    assert.equal(new Set(choices.map((choice) => choice.join())).size, CLIPS, 'each clip has its own');
  });
}

test('noise is searched with like an attack: what it finds is bounded, and it finds nothing below what was tried', async () => {
  const { found, cost } = await collectSearch(linear.victim, runOf({ ...BASE, rungs: [], maxScale: 4 }));
  assert.equal(found.length, CLIPS);
  for (const { clip, failedScale, reachedScale, point } of found) {
    if (reachedScale === undefined) assert.equal(failedScale, 4);
    else assert.ok(failedScale <= reachedScale && changed(point.get('waveform'), clip).length <= 4 * BUDGET);
  }
  assert.equal(cost?.gradientExamples, 0);
});
