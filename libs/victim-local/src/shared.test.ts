import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { near, planOf, program, stateOf, sumOfTargets, targets } from './test-support/programs.ts';
import { CLIPS, inputs, LABELS, row, SAMPLES, twoLayerVictim } from './test-support/two-layer-victim.ts';

const victim = await twoLayerVictim();
after(() => victim[Symbol.asyncDispose]());

const variables = [{ name: 'waveform', scope: 'shared' }] as const;
/** seen = x0 + delta */
const added = program((b) => {
  b.write('seen/waveform', b.plus(b.read('x0/waveform', [SAMPLES]), b.input('x/waveform', [1, SAMPLES])));
});
/** delta <- delta - param/size x gradient; counts steps, together and by example. */
const step = program((b) => {
  const size = b.input('param/size', [1]);
  const gradient = b.input('grad/waveform', [1, SAMPLES]);
  b.write('next/waveform', b.minus(b.input('x/waveform', [1, SAMPLES]), b.times(b.reshape(size, [1, 1]), gradient)));
  b.write('next/state/gradient', b.op('Identity', [gradient]));
  b.write('next/state/together', b.plus(b.input('state/together', [1]), b.scalar(1)));
  b.write('next/state/alone', b.plus(b.read('state/alone'), b.scalar(1)));
  b.write('outcome/total', b.reduceSum(b.read('loss'), [0], true));
  b.write('outcome/loss', b.op('Identity', ['loss']));
});
const plan = planOf({ transform: added, objective: sumOfTargets(), step }, { variables });
const size = Float32Array.of(0.1);

test('the gradient of a shared variable is the sum over examples; shared parameters and outcomes are one value', async () => {
  await using loop = await victim.open(plan, {});
  const { outcomes } = await loop.step({ steps: 1, parameters: { size }, finish: true });
  const { gradients, loss } = await victim.differentiate({
    inputs,
    targets,
    objective: 'logit_sum',
    variables: ['waveform'],
  });
  const rows = Array.from({ length: CLIPS }, (_, clip) => row(gradients.get('waveform'), clip));
  const sum = Array.from({ length: SAMPLES }, (_, i) => rows.reduce((total, one) => total + (one[i] ?? 0), 0));
  const delta = (await loop.fetch(['x/waveform'], [1])).get('x/waveform');
  assert.deepEqual(delta?.dims, [1, SAMPLES]);
  near(
    delta?.data as Float32Array,
    sum.map((value) => -0.1 * value),
    1e-6,
  );
  assert.equal(outcomes.get('total')?.length, 2);
  assert.equal(outcomes.get('loss')?.length, 2 * CLIPS);
  near(outcomes.get('total')?.slice(0, 1) ?? [], [loss.data.reduce((total, value) => total + value, 0)]);
  const seen = new Map(inputs);
  const moved =
    inputs.get('waveform')?.data.map((value, i) => value + Number(delta?.data[i % SAMPLES])) ?? new Float32Array();
  seen.set('waveform', { dims: [CLIPS, SAMPLES], data: moved });
  const { loss: there } = await victim.differentiate({
    inputs: seen,
    targets,
    objective: 'logit_sum',
    variables: ['waveform'],
  });
  near(outcomes.get('loss')?.slice(CLIPS) ?? [], there.data);
});

test('rebatch brings other clips; shared points and shared state stay, everything else starts anew', async () => {
  await using loop = await victim.open(plan, {});
  await loop.step({ steps: 2, parameters: { size: Float32Array.of(0.1, 0.2) } });
  const before = (await loop.fetch(['x/waveform'])).get('x/waveform');
  const other = { dims: [1, LABELS], data: Float32Array.of(0, 1, 0) };
  await loop.rebatch({ exampleClips: [2], inputs, targets: other });
  assert.equal(loop.examples, 1);
  assert.deepEqual((await loop.fetch(['x/waveform'])).get('x/waveform'), before);
  assert.deepEqual([...(await stateOf(loop, 'together')).data], [2]);
  assert.deepEqual([...(await stateOf(loop, 'alone')).data], [0]);
  const { outcomes } = await loop.step({ steps: 1, parameters: { size } });
  const moved = new Map(inputs).set('waveform', {
    dims: [CLIPS, SAMPLES],
    data:
      inputs.get('waveform')?.data.map((value, i) => value + Number(before?.data[i % SAMPLES])) ?? new Float32Array(),
  });
  const { logits } = await victim.predict(moved);
  near(outcomes.get('loss') ?? [], [row(logits, 2)[1] ?? 0]);
  assert.deepEqual([...(await stateOf(loop, 'together')).data], [3]);
  await assert.rejects(loop.rebatch({ exampleClips: [3], inputs, targets: other }), /a clip outside the 3 uploaded/);
});

test('shared variables need a transform, and their loops keep all examples', async () => {
  await using loop = await victim.open(plan, {});
  await assert.rejects(loop.keep([0]), /examples cannot be dropped where a variable is shared/);
  await assert.rejects(
    victim.open(planOf({ objective: sumOfTargets(), step }, { variables }), {}),
    /variable 'waveform' is shared: it needs a transform program that writes 'seen\/waveform'/,
  );
});
