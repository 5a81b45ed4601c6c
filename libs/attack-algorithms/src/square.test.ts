import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { AttackVariable } from './attack.ts';
import { windowShare } from './square.ts';
import { windowAxes, windowSizes } from './square-window.ts';
import { collect, runOf } from './testing/attack-run.ts';
import { assertNearOptimum } from './testing/black-box-optimum.ts';
import { LinearVictim } from './testing/linear-victim.ts';

const linear = await LinearVictim.create(1);
after(() => linear[Symbol.asyncDispose]());

test('Square comes within 15 % of the optimum in L-inf: 1,520 coordinates, 8,000 queries', async () => {
  await assertNearOptimum(linear, { attack: 'square', norm: 'linf', queries: 8_000 });
});

test('Square comes within 15 % of the optimum in L2: 800 coordinates, 8,000 queries', async () => {
  await assertNearOptimum(linear, { attack: 'square', norm: 'l2', queries: 8_000, variables: ['waveform'] });
});

test('queries are counted, and the budget is all that is asked for', async () => {
  for (const norm of ['linf', 'l2'] as const) {
    const { rows, cost } = await collect(
      linear.victim,
      runOf({
        inputs: linear.clips(2, 0.1, 3),
        labels: [[0], [1]],
        labelCount: 3,
        norm,
        budgets: new Map([
          ['waveform', 0.05],
          ['frames', 0.02],
        ]),
        attack: 'square',
        rungs: [[1, 'never']],
        restarts: 2,
        parameters: { queries: 40 },
      }),
    );
    assert.equal(rows.length, 2);
    assert.deepEqual(cost, { forwardExamples: 2 * 2 * 40, gradientExamples: 0 });
  }
});

test('windows shrink as the paper says, and never leave their variable', () => {
  assert.equal(windowShare(0.8, 0, 10_000), 0.8);
  assert.equal(windowShare(0.8, 300, 10_000), 0.8 / 2 ** 3);
  assert.equal(windowShare(0.8, 9_999, 10_000), 0.8 / 512);
  const size = fc.integer({ min: 1, max: 40 });
  const dims = fc.oneof(fc.tuple(fc.integer({ min: 1, max: 5_000 })), fc.tuple(size, fc.constant(3), size, size));
  fc.assert(
    fc.property(dims, fc.double({ min: 1e-5, max: 1, noNaN: true }), (axes, share) => {
      const variable: AttackVariable = { name: 'v', dims: axes, low: 0, high: 1 };
      for (const smallest of [1, 3]) {
        const sizes = windowSizes(variable, share, smallest);
        for (const [index, { size: whole }] of windowAxes(variable).entries()) {
          assert.ok((sizes[index] ?? 0) >= 1 && (sizes[index] ?? 0) <= whole);
        }
      }
    }),
  );
});
