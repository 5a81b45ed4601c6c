import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceRows } from '@faultline/contracts';
import { stepSizes } from './pgd.ts';
import type { BallNorm } from './projection.ts';
import { collect, runOf } from './testing/attack-run.ts';
import { criticalScale, optimalMargin } from './testing/linear-optimum.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';
import { randomNumbers } from './testing/random.ts';

/** definitions: PGD reaches the closed-form optimum of linear victims within 1 %. */
const TOLERANCE = 0.01;
const DEFAULTS = { step_scale: 1, schedule: 'cosine', last_step: 0.004, random_start: 1 } as const;
const CLIPS = 3;
const STEPS = 60;

const linear = await LinearVictim.create(1);
const clips = linear.clips(CLIPS, 0.4, 2);
after(() => linear[Symbol.asyncDispose]());

const random = randomNumbers(9);
const free = (length: number) => Float32Array.from({ length }, () => (random() < 0.7 ? 1 : 0));
const MASKS = new Map([
  ['waveform', free(800)],
  ['frames', free(720)],
]);
const BUDGETS = { linf: { waveform: 0.3, frames: 0.2 }, l2: { waveform: 6, frames: 4 } } as const;

/** The labels of a clip, highest margin first. */
const byMargin = (clip: number) =>
  [...linear.margins(clips, clip).entries()].sort(([, a], [, b]) => b - a).map(([label]) => label);

const CASES = (['linf', 'l2'] as const).flatMap((norm) =>
  [1, 2].flatMap((labels) =>
    [false, true].flatMap((region) =>
      [['waveform', 'frames'], ['frames']].map((variables) => ({ norm, labels, region, variables })),
    ),
  ),
);

for (const { norm, labels, region, variables } of CASES) {
  const where = region ? 'a region of ' : '';
  test(`reaches the optimum: ${norm}, ${labels} label(s), ${where}${variables.join(' and ')}`, async () => {
    const budgets = budgetsOf(norm, variables);
    const masks = region ? MASKS : new Map<string, Float32Array>();
    for (let clip = 0; clip < CLIPS; clip += 1) {
      const active = byMargin(clip).slice(0, labels);
      const problem = linear.problem(clips, clip, active, norm, budgets, masks);
      const critical = criticalScale(problem);
      const { rows } = await collect(
        linear.victim,
        runOf({
          inputs: new Map(Array.from(clips, ([name, tensor]) => [name, sliceRows(tensor, clip, clip + 1)])),
          labels: [active],
          labelCount: 3,
          norm,
          budgets,
          rungs: [
            [critical * (1 - TOLERANCE), 'early'],
            [critical, 'never'],
            [critical * (1 + TOLERANCE), 'early'],
          ],
          steps: STEPS,
          masks,
        }),
      );
      assert.deepEqual(rows.map(({ rung }) => rung).sort(), [1, 2], `clip ${clip}, critical scale ${critical}`);
      const gap = (rows.find(({ rung }) => rung === 1)?.margin ?? Number.NaN) - optimalMargin(problem, critical);
      const clean = Math.max(...problem.margins);
      assert.ok(gap > -1e-3 * clean && gap < TOLERANCE * clean, `gap ${gap} of ${clean}`);
    }
  });
}

function budgetsOf(norm: BallNorm, variables: readonly string[]): Map<string, number> {
  return new Map(Object.entries(BUDGETS[norm]).filter(([name]) => variables.includes(name)));
}

test('at least 30 % of the coordinates stand at the box', () => {
  for (const { name } of linear.card.inputs) {
    const values = floats(clips.get(name));
    const atTheEnd = values.filter((value) => value === 1 || value === (name === 'waveform' ? -1 : 0));
    assert.ok(atTheEnd.length / values.length >= 0.3);
  }
});

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
  for (let clip = 0; clip < CLIPS; clip += 1) {
    const before = linear.margins(clips, clip)[clip] ?? Number.NaN;
    assert.ok(Math.abs((fixed[clip] ?? Number.NaN) - before) < 0.1);
  }
  assert.notDeepEqual(fixed, random);
});
