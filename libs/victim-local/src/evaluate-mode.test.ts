import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Tensors } from '@faultline/victim';
import { openPredictorLoop } from './predictor-loop.ts';
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

test('the same programs run in front of a predictor of which nothing is known but its answers', async () => {
  const { card } = await victim.describe();
  const asked: number[] = [];
  const predictor = {
    predict: (batch: Tensors) => {
      asked.push(batch.get('waveform')?.dims[0] ?? 0);
      return victim.predict(batch);
    },
  };
  await using inside = await victim.open(plan, {});
  await using outside = await openPredictorLoop({ card, predictor }, plan, {});
  const expected = await inside.step({ steps: 12, parameters: {}, finish: true });
  const found = await outside.step({ steps: 12, parameters: {}, finish: true });
  near(found.outcomes.get('bestLoss') ?? [], expected.outcomes.get('bestLoss') ?? []);
  assert.deepEqual(found.cost, expected.cost);
  assert.deepEqual(asked, new Array(13).fill(CLIPS));
  await assert.rejects(
    openPredictorLoop({ card, predictor }, { ...plan, mode: 'differentiate' }, {}),
    /gives no gradients/,
  );
});

test('samples and transforms too', async () => {
  const COUNT = 3;
  const { card } = await victim.describe();
  const transform = program((b) => {
    const noise = b.times(b.read('noise/probe', [COUNT, SAMPLES]), b.scalar(0.1));
    b.write('seen/waveform', b.plus(b.read('x/waveform', [COUNT, SAMPLES]), noise));
  });
  const step = program((b) => {
    b.write('outcome/loss', b.reduceMean(b.read('loss', [COUNT]), [1], false));
    b.write('next/state/logits', b.op('Identity', [b.read('logits', [COUNT, 3])]));
    b.write('next/waveform', b.times(b.read('x/waveform', [SAMPLES]), b.scalar(0.5)));
  });
  const sampled = planOf(
    { transform, objective: sumOfTargets(COUNT), step },
    {
      mode: 'evaluate',
      samples: { count: COUNT, gradient: 'mean' },
      noise: [{ name: 'probe', distribution: 'normal', dims: [SAMPLES] }],
      noiseKeys: BigUint64Array.of(1n, 2n, 3n),
    },
  );
  await using inside = await victim.open(sampled, {});
  await using outside = await openPredictorLoop({ card, predictor: victim }, sampled, {});
  const [one, other] = [
    await inside.step({ steps: 3, parameters: {} }),
    await outside.step({ steps: 3, parameters: {} }),
  ];
  near(other.outcomes.get('loss') ?? [], one.outcomes.get('loss') ?? [], 1e-6);
  near(
    (await stateOf(outside, 'logits')).data as Float32Array,
    (await stateOf(inside, 'logits')).data as Float32Array,
    1e-6,
  );
});
