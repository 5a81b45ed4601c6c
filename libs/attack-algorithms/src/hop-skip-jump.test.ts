import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceRows } from '@faultline/contracts';
import { decisionsAsLogits, labelsOnly, type ScorePredictor, type Victim } from '@faultline/victim';
import { openPredictorLoop } from '@faultline/victim-local';
import { phases } from './hop-skip-jump-schedule.ts';
import { runOf } from './testing/attack-run.ts';
import { criticalScale } from './testing/linear-optimum.ts';
import { LinearVictim } from './testing/linear-victim.ts';
import { collectSearch } from './testing/search-setting.ts';

const linear = await LinearVictim.create(1);
after(() => linear[Symbol.asyncDispose]());
const clips = new Map(
  Array.from(linear.clips(3, 0.4, 2), ([name, tensor]) => [name, sliceRows(tensor, 0, 1)] as const),
);
const margins = linear.margins(clips, 0);
const label = margins.indexOf(Math.max(...margins));
const budgets = new Map([['waveform', 6]]);
const run = (queries: number) =>
  runOf({
    inputs: clips,
    labels: [[label]],
    labelCount: 3,
    norm: 'l2',
    budgets,
    attack: 'hop_skip_jump',
    rungs: [],
    parameters: { queries },
  });

/** The linear victim behind a predictor: nothing is known but its answers. */
const behind = (predictor: ScorePredictor): Victim => ({
  describe: () => linear.victim.describe(),
  predict: (inputs) => predictor.predict(inputs),
  differentiate: () => Promise.reject(new Error('a black box has no gradients')),
  open: (plan, parameters) => openPredictorLoop({ card: linear.card, predictor }, plan, parameters),
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

test('HopSkipJump comes within 15 % of the optimum in L2: 800 coordinates, 20,000 queries', async () => {
  const critical = criticalScale(linear.problem(clips, 0, [label], 'l2', budgets));
  const { found, cost } = await collectSearch(linear.victim, run(20_000));
  const ratio = (found[0]?.reachedScale ?? Number.NaN) / critical;
  assert.ok(ratio > 0.999 && ratio < 1.15, `found ${ratio} of the optimum`);
  assert.ok((cost?.forwardExamples ?? Number.NaN) <= 20_000);
  assert.equal(cost?.gradientExamples, 0);
  const fresh = await linear.victim.predict(
    new Map([...clips, ['waveform', { dims: [1, 800], data: found[0]?.point.get('waveform') ?? new Float32Array() }]]),
  );
  assert.ok((fresh.logits.data[label] ?? 0) < (linear.card.labels[label]?.threshold ?? 0), 'a fresh prediction agrees');
});

test('it learns nothing from scores: labels alone lead to the same point', async () => {
  const labels = decisionsAsLogits(labelsOnly(linear.victim, linear.card), linear.card);
  const [byScores, byLabels] = [
    await collectSearch(behind(linear.victim), run(1_000)),
    await collectSearch(behind(labels), run(1_000)),
  ];
  assert.ok(byScores.found[0]?.reachedScale !== undefined);
  // The verdict of scores has a margin twice the tolerance, that of labels the tolerance: the boundary is the same up to that.
  const [one, other] = [byScores.found[0]?.reachedScale ?? 0, byLabels.found[0]?.reachedScale ?? 0];
  assert.ok(Math.abs(one - other) < 0.02 * one, `${one} and ${other}`);
  assert.deepEqual(byLabels.cost, byScores.cost);
});

test('the schedule: starts, then a line, then probes whose number grows with the root of the iteration', () => {
  const plan = phases(100, { coordinates: 1_520, samples: 32, probes: 128 });
  assert.equal(plan.length, 100);
  const words = plan.map(({ phase }) => phase).join(' ');
  assert.match(
    words,
    /^start start blend blend probe probe probe probe move blend blend probe probe probe probe probe probe move/,
  );
  const strides = plan.filter(({ phase }) => phase === 'move').map(({ stride }) => stride);
  assert.deepEqual(strides.slice(0, 4), [1, 1 / Math.SQRT2, 1 / Math.sqrt(3), 1 / 2]);
});
