import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceRows } from '@faultline/contracts';
import type { ExampleEvidence } from './evidence.ts';
import { runAttack } from './run-attack.ts';
import { runOf } from './testing/attack-run.ts';
import { criticalScale } from './testing/linear-optimum.ts';
import { LinearVictim } from './testing/linear-victim.ts';

const CLIPS = 20;
const STEPS = 100;
const linear = await LinearVictim.create(4);
after(() => linear[Symbol.asyncDispose]());

/** Clips of which nine tenths need little, and a tenth more than the budget of 1. */
function easyAndHard() {
  const many = linear.clips(120, 0, 9);
  const budgets = new Map([['waveform', 1]]);
  const criticals = Array.from({ length: 120 }, (_, clip) => {
    const margins = linear.margins(many, clip);
    const label = margins.indexOf(Math.max(...margins));
    return { clip, label, critical: criticalScale(linear.problem(many, clip, [label], 'linf', budgets)) };
  })
    .filter(({ critical }) => critical > 0)
    .sort((a, b) => a.critical - b.critical);
  const hard = CLIPS / 10;
  const chosen = [...criticals.slice(0, CLIPS - hard), ...criticals.slice(-hard)];
  const inputs = new Map(
    Array.from(many, ([name, tensor]) => {
      const rows = chosen.map(({ clip }) => sliceRows(tensor, clip, clip + 1));
      const data = Float32Array.from(rows.flatMap((row) => [...row.data].map(Number)));
      return [name, { dims: [CLIPS, ...tensor.dims.slice(1)], data }] as const;
    }),
  );
  // The hard ones stay on: the budget is below what they need.
  const rho = 0.97 * Math.min(...chosen.slice(-hard).map(({ critical }) => critical));
  return { inputs, labels: chosen.map(({ label }) => [label]), rho };
}

for (const restarts of [1, 2]) {
  test(`where nine tenths fall in the first tenth of the steps, less than a quarter is computed: ${restarts} restart(s)`, async () => {
    const { inputs, labels, rho } = easyAndHard();
    const examples: ExampleEvidence[] = [];
    let gradients = Number.NaN;
    const run = runOf({
      inputs,
      labels,
      labelCount: 3,
      norm: 'linf',
      budgets: new Map([['waveform', rho]]),
      rungs: [[1, 'early']],
      steps: STEPS,
      restarts,
    });
    for await (const event of runAttack(linear.victim, run)) {
      if (event.kind === 'evidence') examples.push(...event.examples);
      if (event.kind === 'cost') gradients = event.cost.gradientExamples;
    }
    const early = examples.filter(({ reached }) => reached !== undefined && reached.step <= STEPS / 10);
    assert.equal(early.length, 0.9 * CLIPS, 'the setting is the one that is named');
    assert.equal(examples.filter(({ reached }) => reached === undefined).length, 0.1 * CLIPS);
    const full = CLIPS * STEPS * restarts;
    assert.ok(gradients < full / 4, `${gradients} of ${full}`);
    assert.ok(gradients >= 0.1 * full, 'what stands is attacked to the end');
  });
}
