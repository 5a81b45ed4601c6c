import assert from 'node:assert/strict';
import { test } from 'node:test';
import { robustnessFigures } from './figures.ts';
import type { Outcomes } from './outcomes.ts';

const setting = {
  clips: 4,
  epsilons: { waveform: 0.01, frames: 0.02 },
  scales: [1, 2],
  steps: 20,
  restarts: 3,
  seed: 1,
};
const groups = [['a'], ['a', 'b'], ['c'], ['d']];

/** Four clips: off when clean, off at the first rung, at the second, never. */
const defended = (victim: string, attacked: readonly number[]): Outcomes => ({
  victim,
  modelSha256: '0',
  thresholds: [0],
  setting,
  clips: ['1', '2', '3', '4'],
  threats: [{ variables: ['waveform', 'frames'], attacked, noise: [-1, 2, 2, 2] }],
});

test('shares fall with the budget, lie in their intervals, and stand beside noise', () => {
  const [first, second, ...others] = robustnessFigures(defended('mid', [-1, 0, 1, 2]), 'clips-unseen', groups);
  assert.deepEqual(others, []);
  assert.deepEqual(
    [first?.clean?.share, first?.attacked?.share, second?.attacked?.share, second?.noise?.share],
    [0.75, 0.5, 0.25, 0.75],
  );
  assert.deepEqual(second?.budgets, [
    { variable: 'waveform', epsilon: 0.02 },
    { variable: 'frames', epsilon: 0.04 },
  ]);
  for (const share of [first?.clean, first?.attacked, second?.noise]) {
    assert.ok(share && share.low <= share.share && share.share <= share.high, JSON.stringify(share));
  }
});

test('a gain is the difference on the same clips, and only victims measured alike are compared', () => {
  const base = defended('mid', [-1, 0, 0, 0]);
  const better = defended('mid-adversarial', [-1, 1, 2, 2]);
  const [first, second] = robustnessFigures(better, 'clips-unseen', groups, [base]);
  assert.deepEqual([first?.gains[0]?.against, first?.gains[0]?.difference], ['mid', 0.75]);
  assert.equal(second?.gains[0]?.difference, 0.5);
  const longer = { ...base, setting: { ...setting, steps: 40 } };
  assert.throws(() => robustnessFigures(better, 's', groups, [longer]), /'mid' was measured with other options/);
  assert.throws(() => robustnessFigures(better, 's', groups, [{ ...base, clips: ['9'] }]), /on other clips/);
});
