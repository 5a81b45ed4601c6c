import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readArguments } from './arguments.ts';

test('options decide budgets, scales and victims to compare with', () => {
  const given =
    '--victim mid-adversarial --against mid --against mid-mixup --scales 1,4 --epsilon-frames 0.01 --restarts 5';
  const { victim, against, setting } = readArguments(given.split(' '));
  assert.deepEqual([victim, against], ['mid-adversarial', ['mid', 'mid-mixup']]);
  assert.deepEqual(setting, {
    clips: 96,
    epsilons: { waveform: 0.001, frames: 0.01 },
    scales: [1, 4],
    steps: 20,
    restarts: 5,
    seed: 1,
  });
});

test('what is wrong is named with its value and the remedy', () => {
  const refused = (given: string, message: RegExp) =>
    assert.throws(() => readArguments(['--victim', 'mid', ...given.split(' ')]), message);
  assert.throws(() => readArguments([]), /--victim is missing/);
  refused('--scales 2,1', /--scales is '2,1'; give ascending numbers above 0/);
  refused('--scales 0,1', /--scales is '0,1'/);
  refused('--steps 0', /--steps is '0'; give a whole number from 1/);
  refused('--epsilon-waveform nothing', /--epsilon-waveform is 'nothing'; give a number above 0/);
});
