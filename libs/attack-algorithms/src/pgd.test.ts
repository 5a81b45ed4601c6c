import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { stepSizes } from './pgd.ts';
import { collect, runOf } from './testing/attack-run.ts';
import { HardSetting } from './testing/hard-setting.ts';

const DEFAULTS = {
  step_scale: 1,
  schedule: 'cosine',
  last_step: 0.004,
  random_start: 1,
  loss: 'margin',
  shift_share: 0,
  shift_samples: 8,
  shift_fill: 'circular',
} as const;
const STEPS = 60;

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());
const { clips, linear } = setting;

for (const norm of ['linf', 'l2'] as const) setting.testOptimum({ attack: 'pgd', norm, steps: STEPS });
setting.testOptimum({ attack: 'pgd', norm: 'l1', steps: 150, inputs: [['waveform', 'frames']] });

test('step sizes fall, and suffice to cross the ball', () => {
  for (const steps of [1, 2, 5, 20, 100]) {
    const sizes = stepSizes(steps, 'linf', DEFAULTS);
    assert.equal(sizes.length, steps);
    assert.deepEqual(
      sizes,
      sizes.toSorted((a, b) => b - a),
    );
    if (steps >= 5) assert.ok(sizes.reduce((sum, size) => sum + size) >= 2);
  }
});

test('step sizes follow their parameters', () => {
  const constant = stepSizes(10, 'linf', { ...DEFAULTS, schedule: 'constant', step_scale: 0.4 });
  assert.deepEqual(constant, Array(10).fill(0.1));
  const scaled = stepSizes(40, 'l2', { ...DEFAULTS, step_scale: 2, last_step: 0.01 });
  assert.deepEqual([scaled[0], scaled.at(-1)], [0.5, 0.01]);
});

test('without a random start the first step is taken from the clean point', async () => {
  const base = {
    inputs: clips,
    labels: [[0], [1], [2]],
    labelCount: 3,
    norm: 'l2' as const,
    budgets: new Map([['waveform', 1]]),
    rungs: [[1, 'never']] as const,
    steps: 1,
  };
  const margins = async (random_start: number) => {
    const parameters = { random_start, schedule: 'constant', step_scale: 0.01 };
    return (await collect(linear.victim, runOf({ ...base, parameters }))).rows.map(({ margin }) => margin);
  };
  // A step of a twentieth of epsilon, down a slope of |w|: nearly the clean margin.
  const [fixed, random] = [await margins(0), await margins(1)];
  for (let clip = 0; clip < 3; clip += 1) {
    const before = linear.margins(clips, clip)[clip] ?? Number.NaN;
    assert.ok(Math.abs((fixed[clip] ?? Number.NaN) - before) < 0.1);
  }
  assert.notDeepEqual(fixed, random);
});
