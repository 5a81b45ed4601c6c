import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { near, planOf, program, recorder, stateOf, sumOfTargets } from './test-support/programs.ts';
import { CLIPS, inputs, SAMPLES, twoLayerVictim } from './test-support/two-layer-victim.ts';

const victim = await twoLayerVictim();
after(() => victim[Symbol.asyncDispose]());

const RADIUS = 0.2;

/** Accepts the evaluated point where its loss is the lowest so far, and proposes a random neighbour of the best. */
const acceptReject = program((b) => {
  const rank = (value: string) => b.reshape(value, [-1, 1]);
  const started = b.read('state/started');
  const known = b.op('Where', [b.op('Greater', [started, b.scalar(0)]), b.read('state/bestLoss'), b.scalar(1e9)]);
  const better = b.op('Less', [b.read('loss'), known]);
  const best = b.op('Where', [rank(better), b.read('x/waveform', [SAMPLES]), b.read('state/best', [SAMPLES])]);
  const proposal = b.plus(best, b.times(b.read('noise/proposal', [SAMPLES]), b.scalar(RADIUS)));
  b.write('next/waveform', proposal);
  b.write('next/state/best', best);
  b.write('next/state/started', b.op('Max', [started, b.scalar(1)]));
  b.write('next/state/bestLoss', b.op('Where', [better, 'loss', known]));
  b.write('outcome/bestLoss', b.op('Identity', ['next/state/bestLoss']));
});
const plan = planOf(
  { objective: sumOfTargets(), step: acceptReject },
  {
    mode: 'evaluate',
    noise: [{ name: 'proposal', distribution: 'signs', dims: [SAMPLES] }],
    noiseKeys: BigUint64Array.of(1n, 2n, 3n),
  },
);

test('an accept or reject search descends without a gradient', async () => {
  await using loop = await victim.open(plan, {});
  const { outcomes, cost, finished } = await loop.step({ steps: 40, parameters: {}, finish: true });
  assert.equal(finished, true);
  assert.deepEqual(cost, { forwardExamples: 41 * CLIPS, gradientExamples: 0 });
  const losses = outcomes.get('bestLoss') ?? new Float32Array();
  for (let clip = 0; clip < CLIPS; clip++) {
    const path = Array.from({ length: 41 }, (_, step) => losses[step * CLIPS + clip] ?? 0);
    for (const [step, value] of path.entries()) assert.ok(value <= (path[step - 1] ?? value));
    assert.ok((path.at(-1) ?? 0) < (path[0] ?? 0) - 0.5);
  }
  // The point kept is one that was evaluated: a fresh prediction agrees.
  const best = await stateOf(loop, 'best');
  const { logits } = await victim.predict(new Map([...inputs, ['waveform', best]]));
  const fresh = Array.from({ length: CLIPS }, (_, clip) =>
    plan.targets.data
      .slice(clip * 3, clip * 3 + 3)
      .reduce((sum, on, label) => sum + on * (logits.data[clip * 3 + label] ?? 0), 0),
  );
  near(losses.slice(-CLIPS), fresh);
});

test('a program that reads a gradient is refused there', async () => {
  const step = recorder(new Map([['grad/waveform', ['examples', SAMPLES]]]));
  await assert.rejects(
    victim.open({ ...plan, programs: { ...plan.programs, step } }, {}),
    /step program: 'grad\/waveform': this loop is in mode evaluate and computes no gradients/,
  );
});
