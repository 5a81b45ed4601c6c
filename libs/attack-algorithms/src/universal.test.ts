import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack, type DenseTensor, sliceRows } from '@faultline/contracts';
import { applyUniversal, universalNoise } from './apply-universal.ts';
import { AttackRequestError } from './faults.ts';
import { vectorNorm } from './float32-bounds.ts';
import { runAttack } from './run-attack.ts';
import { type RunOptions, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';
import { randomNumbers } from './testing/random.ts';
import type { UniversalResult } from './universal.ts';

const CLIPS = 46;
/** More than a loop holds at once: several batches. */
const CRAFTED = 30;
const linear = await LinearVictim.create(5);
after(() => linear[Symbol.asyncDispose]());

const all = linear.clips(CLIPS, 0.2, 11, true);
const part = (from: number, to: number) =>
  new Map(Array.from(all, ([name, tensor]): [string, DenseTensor] => [name, sliceRows(tensor, from, to)]));
/** Each clip's labels are those that are on, or its most active one. */
const labels = Array.from({ length: CLIPS }, (_, clip) => {
  const margins = linear.margins(all, clip);
  const on = margins.flatMap((margin, label) => (margin > 0 ? [label] : []));
  return on.length > 0 ? on : [margins.indexOf(Math.max(...margins))];
});
const BASE: RunOptions = {
  inputs: part(0, CRAFTED),
  labels: labels.slice(0, CRAFTED),
  labelCount: 3,
  norm: 'linf',
  budgets: new Map([
    ['waveform', 0.1],
    ['frames', 0.05],
  ]),
  rungs: [[1, 'never']],
  steps: 8,
  attack: 'universal',
};

async function craft(changes: Partial<RunOptions> = {}): Promise<{ results: UniversalResult[]; gradients: number }> {
  const results: UniversalResult[] = [];
  let gradients = 0;
  for await (const event of runAttack(linear.victim, runOf({ ...BASE, ...changes }))) {
    if (event.kind === 'universal') results.push(event.result);
    if (event.kind === 'cost') gradients = event.cost.gradientExamples;
  }
  return { results, gradients };
}

/** Of the held-out clips that were on when clean, the share whose labels a fresh prediction finds off. */
async function heldOutSuccess(perturbations: UniversalResult['perturbations']): Promise<number> {
  const clean = part(CRAFTED, CLIPS);
  const { logits } = await linear.victim.predict(applyUniversal(perturbations, clean, linear.card));
  const standing = labels.slice(CRAFTED).map((own, row) => {
    const before = linear.margins(clean, row);
    const now = own.map((label) => (logits.data[3 * row + label] ?? 0) - (linear.card.labels[label]?.threshold ?? 0));
    return { on: Math.max(...own.map((label) => before[label] ?? 0)) > 0, off: Math.max(...now) < 0 };
  });
  const on = standing.filter((clip) => clip.on);
  assert.ok(on.length >= 8, 'enough held-out clips are on when clean');
  return on.filter((clip) => clip.off).length / on.length;
}

for (const [norm, waveform, frames] of [
  ['linf', 0.1, 0.05],
  ['l2', 2.5, 1.2],
] as const) {
  for (const loss of ['margin', 'bce']) {
    test(`strict, ${norm}, ${loss}: in its budget in float64, and beyond equal noise on held-out clips`, async () => {
      const budgets = new Map(Object.entries({ waveform, frames }));
      const { results, gradients } = await craft({ norm, budgets, parameters: { loss } });
      const [
        { perturbations, norms, reachedByPass } = { perturbations: new Map(), norms: new Map(), reachedByPass: [] },
      ] = results;
      assert.equal(gradients, 8 * CRAFTED);
      assert.equal(reachedByPass.length, 8);
      for (const [name, epsilon] of budgets) {
        const size = vectorNorm(norm, perturbations.get(name)?.data ?? new Float32Array());
        assert.equal(norms.get(name), size);
        assert.ok(size <= epsilon && size > 0.95 * epsilon, `${name}: ${size} of ${epsilon}`);
      }
      const success = await heldOutSuccess(perturbations);
      const noise = await Promise.all(
        [1, 2, 3].map((seed) => heldOutSuccess(universalNoise(perturbations, norm, seed))),
      );
      // The cross-entropy of all labels also lifts false ones, and follows the clips that are off already.
      const fewest = loss === 'margin' ? 0.8 : Math.max(...noise) + 0.1;
      assert.ok(success >= fewest && success > Math.max(...noise), `${success}, noise ${noise}`);
    });
  }
}

test('the accumulating form of the founding study leaves its budget, and the norm that it reached is told', async () => {
  const { results } = await craft({ parameters: { form: 'legacy', loss: 'bce', step_scale: 1 } });
  const [{ perturbations, norms } = { perturbations: new Map(), norms: new Map() }] = results;
  assert.ok((norms.get('waveform') ?? 0) > 5 * 0.1, `${norms.get('waveform')}`);
  const noise = universalNoise(perturbations, 'linf', 3);
  for (const [name, { data }] of noise) {
    assert.ok(Math.abs(vectorNorm('linf', data) / (norms.get(name) ?? Number.NaN) - 1) < 1e-6);
  }
});

test('a perturbation is the same whatever it was asked beside, keeps its mask, and is applied inside the range', async () => {
  const random = randomNumbers(3);
  const mask = Float32Array.from({ length: 800 }, () => (random() < 0.5 ? 1 : 0));
  const masks = new Map([['waveform', mask]]);
  const [one, ladder] = [
    await craft({ masks, steps: 3 }),
    await craft({
      masks,
      steps: 3,
      rungs: [
        [0.5, 'never'],
        [1, 'never'],
      ],
    }),
  ];
  assert.deepEqual(ladder.results[1]?.perturbations, one.results[0]?.perturbations);
  const delta = one.results[0]?.perturbations.get('waveform')?.data ?? new Float32Array();
  assert.ok(delta.every((value, i) => value === 0 || mask[i] === 1) && delta.some((value) => value !== 0));
  const moved = applyUniversal(one.results[0]?.perturbations ?? new Map(), all, linear.card);
  const [before, now] = [floats(all.get('waveform')), floats(moved.get('waveform'))];
  for (const [i, value] of now.entries()) {
    assert.equal(value, Math.fround(Math.min(1, Math.max(-1, (before[i] ?? 0) + (delta[i % 800] ?? 0)))));
  }
  assert.throws(
    () => applyUniversal(new Map([['smell', { dims: [1, 1], data: new Float32Array(1) }]]), all, linear.card),
    /'smell' is for no input of victim 'linear', which takes waveform, frames/,
  );
});

test('searches, early stopping and restarts are refused', async () => {
  const fields = async (changes: Partial<RunOptions>) => {
    try {
      await craft(changes);
      return [];
    } catch (error) {
      assert.ok(error instanceof AttackRequestError);
      return error.violations.map(({ field }) => field);
    }
  };
  assert.deepEqual(await fields({ rungs: [] }), ['threat_model.rungs']);
  assert.deepEqual(await fields({ rungs: [[1, 'early']] }), ['threat_model.rungs[0].stopping']);
  assert.deepEqual(await fields({ restarts: 2 }), ['threat_model.restarts']);
  assert.deepEqual(await fields({ norm: 'l1' }), ['threat_model.norm']);
});

test('it can be told another goal', async () => {
  const goal = attack.Goal.fromPartial({ kind: attack.GoalKind.GOAL_KIND_TARGETED, label: 'dog' });
  const { results } = await craft({ goal });
  const clean = part(CRAFTED, CLIPS);
  const { logits } = await linear.victim.predict(
    applyUniversal(results[0]?.perturbations ?? new Map(), clean, linear.card),
  );
  const dogs = Array.from({ length: CLIPS - CRAFTED }, (_, row) => {
    const [dog = 0, ...others] = logits.data.slice(3 * row, 3 * row + 3);
    return dog > Math.max(...others);
  });
  assert.ok(dogs.filter(Boolean).length >= 0.8 * dogs.length);
});
