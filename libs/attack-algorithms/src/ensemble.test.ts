import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { AttackSetting } from './attack.ts';
import { defaultValues } from './attack-parameters.ts';
import { ensemble } from './ensemble.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { HardSetting } from './testing/hard-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());
const { clips, linear } = setting;

const BASE: RunOptions = {
  inputs: clips,
  labels: [[0], [1], [2]],
  labelCount: 3,
  norm: 'linf',
  budgets: new Map([
    ['waveform', 0.3],
    ['frames', 0.2],
  ]),
  rungs: [
    [0.01, 'early'],
    [0.05, 'never'],
    [0.1, 'early'],
    [1, 'early'],
  ],
  attack: 'ensemble',
  steps: 10,
  parameters: { queries: 20 },
};

test('keeps one candidate for each clip and rung, with a margin no higher than that of its first member', async () => {
  const { rows, results } = await collect(linear.victim, runOf(BASE));
  const alone = await collect(linear.victim, runOf({ ...BASE, attack: 'apgd', parameters: {} }));
  const keys = rows.map(({ clip, rung }) => `${clip} ${rung}`);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(results.filter(({ rung }) => rung === 1).length, 1);
  for (const { clip, rung, margin } of alone.rows.filter((row) => row.rung === 1)) {
    assert.ok(Number(rows.find((row) => row.clip === clip && row.rung === rung)?.margin) <= margin);
  }
  const smallest = (found: typeof rows, clip: number) =>
    Math.min(...found.filter((row) => row.clip === clip && row.rung !== 1).map(({ rung }) => rung));
  for (const clip of [0, 1, 2]) assert.ok(smallest(rows, clip) <= smallest(alone.rows, clip));
  // A clip is on one early rung at most.
  const early = rows.filter(({ rung }) => rung !== 1).map(({ clip }) => clip);
  assert.equal(new Set(early).size, early.length);
});

test('attacks only what still stands', async () => {
  const rungs = [[3, 'early']] as const;
  const { rows, cost } = await collect(linear.victim, runOf({ ...BASE, rungs }));
  const alone = await collect(linear.victim, runOf({ ...BASE, rungs, attack: 'apgd', parameters: {} }));
  assert.equal(rows.length, 3);
  assert.deepEqual(cost, alone.cost);
});

test('its members suit the number of labels', () => {
  const members = (labels: number, norm: AttackSetting['norm'] = 'linf') =>
    ensemble.members?.(
      {
        variables: [{ name: 'x', dims: [16], low: 0, high: 1 }],
        norm,
        steps: 5,
        thresholds: Array(labels).fill(0),
        logitScale: 1,
      },
      defaultValues(ensemble.parameters),
    ).length;
  assert.deepEqual([members(1), members(2), members(5)], [3, 4, 4]);
  assert.equal(members(5, 'l1'), 3);
});

test('a loss that says nothing about so many labels is refused, and what to use instead is said', async () => {
  const refused = (loss: string, message: RegExp) =>
    assert.rejects(collect(linear.victim, runOf({ ...BASE, attack: 'apgd', parameters: { loss } })), message);
  await refused(
    'dlr_targeted',
    /'loss' is dlr_targeted, which needs 4 labels where the victim has 3; use margin, bce, ce or dlr/,
  );
  const { rows } = await collect(
    linear.victim,
    runOf({ ...BASE, attack: 'apgd', parameters: { loss: 'dlr_original' } }),
  );
  assert.ok(rows.length > 0);
});

test('attacks take every loss that serves; the margin, the cross-entropies lower the margin', async () => {
  for (const loss of ['margin', 'bce', 'ce', 'dlr', 'dlr_original']) {
    for (const attack of ['pgd', 'apgd', 'fgsm', 'mi-fgsm']) {
      const { rows } = await collect(
        linear.victim,
        runOf({ ...BASE, attack, rungs: [[0.05, 'never']], parameters: { loss } }),
      );
      for (const { clip, margin } of rows) {
        const clean = linear.margins(clips, clip)[clip] ?? Number.NaN;
        assert.ok(
          loss.startsWith('dlr') ? Number.isFinite(margin) : margin < clean,
          `${attack} ${loss} clip ${clip}: ${margin} after ${clean}`,
        );
      }
    }
  }
});
