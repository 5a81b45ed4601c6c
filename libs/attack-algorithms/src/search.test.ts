import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { StepOptions, Victim } from '@faultline/victim';
import { type AttackEvent, type AttackOptions, runAttack } from './run-attack.ts';
import { type RunOptions, runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';
import { collectSearch } from './testing/search-setting.ts';

const CLIPS = 4;
const linear = await LinearVictim.create(4);
const inputs = linear.clips(CLIPS, 0.2, 6, true);
after(() => linear[Symbol.asyncDispose]());

const byMargin = (clip: number) =>
  [...linear.margins(inputs, clip).entries()].sort(([, a], [, b]) => b - a).map(([label]) => label);
/** Each clip's most active label is its true one; the last clip's is its least active one, which is off. */
const labels = Array.from({ length: CLIPS }, (_, clip) =>
  byMargin(clip)
    .slice(clip === CLIPS - 1 ? -1 : 0)
    .slice(0, 1),
);
const BASE: RunOptions = {
  inputs,
  labels,
  labelCount: 3,
  norm: 'l2',
  budgets: new Map([
    ['waveform', 3],
    ['frames', 2],
  ]),
  rungs: [],
  steps: 40,
  attack: 'fmn',
};

test('clips that are off already are at scale 0 and cost one step', async () => {
  assert.ok((linear.margins(inputs, CLIPS - 1)[labels[CLIPS - 1]?.[0] ?? 0] ?? 1) < -0.01);
  const { found, cost } = await collectSearch(linear.victim, runOf(BASE));
  assert.equal(found[CLIPS - 1]?.reachedScale, 0);
  assert.deepEqual(cost, { gradientExamples: 3 * 40 + 1, forwardExamples: 3 * 41 + 1 });
});

test('an attack that ends by itself costs what it needs', async () => {
  const { cost } = await collectSearch(linear.victim, runOf({ ...BASE, attack: 'deepfool', steps: 400 }));
  assert.ok(cost && cost.gradientExamples < CLIPS * 20);
});

test('what is found is what its margin says, and as large as its scale says: a fresh prediction agrees', async () => {
  for (const attack of ['fmn', 'ddn', 'deepfool', 'carlini_wagner']) {
    for await (const event of runAttack(linear.victim, runOf({ ...BASE, attack, steps: 150 }))) {
      if (event.kind !== 'search') continue;
      const { clips, adversarial, margins } = event.result;
      assert.deepEqual(clips, [0, 1, 2, 3]);
      const { logits } = await linear.victim.predict(adversarial);
      for (const [row, clip] of clips.entries()) {
        const [label = 0] = labels[clip] ?? [];
        const fresh = (logits.data[row * 3 + label] ?? 0) - (linear.card.labels[label]?.threshold ?? 0);
        assert.ok(fresh <= -2e-4 && Math.abs(fresh - (margins[row] ?? Number.NaN)) < 1e-4, `${attack}: ${fresh}`);
      }
    }
  }
});

test('the same request gives the same bits, whatever batch a clip stands in; restarts never find more', async () => {
  const whole = await collectSearch(linear.victim, runOf({ ...BASE, restarts: 2, steps: 15 }));
  assert.deepEqual(await collectSearch(linear.victim, runOf({ ...BASE, restarts: 2, steps: 15 })), whole);
  const once = await collectSearch(linear.victim, runOf({ ...BASE, steps: 15 }));
  for (const [clip, { reachedScale = 0 }] of whole.found.entries()) {
    assert.ok(reachedScale <= (once.found[clip]?.reachedScale ?? 0));
  }
});

test('a bound is kept: nothing beyond it is returned', async () => {
  const { found } = await collectSearch(linear.victim, runOf({ ...BASE, maxScale: 1e-3 }));
  assert.deepEqual(
    found.map(({ reachedScale, point }) => [reachedScale, point.get('frames')?.length]),
    [...Array(CLIPS - 1).fill([undefined, 0]), [0, 720]],
  );
});

/** The linear victim, whose n-th loop fails at its n-th entry's step. */
function failing(steps: readonly number[]): Victim {
  const left = [...steps];
  return {
    describe: () => linear.victim.describe(),
    predict: (batch) => linear.victim.predict(batch),
    differentiate: linear.victim.differentiate.bind(linear.victim),
    async open(plan, parameters) {
      const loop = await linear.victim.open(plan, parameters);
      const failsAt = left.shift() ?? Number.POSITIVE_INFINITY;
      let calls = 0;
      const step = loop.step.bind(loop);
      return Object.assign(loop, {
        step: (wanted: StepOptions) => {
          calls += 1;
          return calls === failsAt ? Promise.reject(new Error('lost')) : step(wanted);
        },
      });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function eventsOf(victim: Victim, run: RunOptions, rerun?: AttackOptions['rerun']): Promise<AttackEvent[]> {
  const events: AttackEvent[] = [];
  for await (const event of runAttack(victim, runOf(run), { rerun })) if (event.kind !== 'progress') events.push(event);
  return events;
}

test('a lost loop is run anew: the same bits, the same cost', async () => {
  for (const attack of ['fmn', 'pgd']) {
    const run = { ...BASE, attack, steps: 10 };
    const disturbed = await eventsOf(failing([1, 2]), run, async () => true);
    assert.deepEqual(disturbed, await eventsOf(linear.victim, run));
  }
});

test('an aborted search stops between steps', async () => {
  const abort = new AbortController();
  const events = runAttack(linear.victim, runOf({ ...BASE, steps: 10_000 }), { signal: abort.signal });
  await events.next();
  abort.abort(new Error('no longer wanted'));
  await assert.rejects(async () => {
    for await (const _ of events);
  }, /no longer wanted/);
});
