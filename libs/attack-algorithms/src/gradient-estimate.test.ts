import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { collect, runOf } from './testing/attack-run.ts';
import { assertNearOptimum } from './testing/black-box-optimum.ts';
import { LinearVictim } from './testing/linear-victim.ts';

const linear = await LinearVictim.create(1);
after(() => linear[Symbol.asyncDispose]());

// One estimate remembers all before it: the gradient of a linear victim is the same everywhere.
const parameters = { pairs: 25, momentum: 0.998 };

for (const [attack, norm] of [
  ['nes', 'linf'],
  ['spsa', 'l2'],
] as const) {
  test(`${attack} comes within 15 % of the optimum in ${norm}: 1,520 coordinates, 20,000 queries`, async () => {
    await assertNearOptimum(linear, { attack, norm, queries: 20_000, parameters });
  });
}

test('the point and each of its probes is a query; what a step cannot be paid for is not asked', async () => {
  const { rows, cost } = await collect(
    linear.victim,
    runOf({
      inputs: linear.clips(2, 0.1, 3),
      labels: [[0, 2], [1]],
      labelCount: 3,
      norm: 'l2',
      budgets: new Map([['frames', 0.5]]),
      attack: 'nes',
      rungs: [[1, 'never']],
      parameters: { queries: 100, pairs: 4 },
    }),
  );
  assert.equal(rows.length, 2);
  assert.deepEqual(cost, { forwardExamples: 2 * 99, gradientExamples: 0 });
});
