import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { near, planOf, program, recorder, stateOf, sumOfTargets, targets } from './test-support/programs.ts';
import {
  audioOf,
  CLIPS,
  HIDDEN,
  hiddenOf,
  inputs,
  LABELS,
  logitsOf,
  row,
  SAMPLES,
  slopes,
  twoLayerVictim,
} from './test-support/two-layer-victim.ts';

const victim = await twoLayerVictim();
after(() => victim[Symbol.asyncDispose]());

const frames = (clip: number) => row(inputs.get('frames'), clip);
const cleanAudio = (clip: number) => audioOf(row(inputs.get('waveform'), clip));
const lossOfAudio = (clip: number) => (audio: readonly number[]) =>
  logitsOf(hiddenOf(audio, frames(clip))).reduce(
    (sum, z, label) => sum + z * (targets.data[clip * LABELS + label] ?? 0),
    0,
  );

test('predictions hand out taps', async () => {
  const plain = await victim.predict(inputs);
  const { taps, logits } = await victim.predict(inputs, { taps: ['hidden', 'audio'] });
  assert.deepEqual(logits, plain.logits);
  assert.equal(plain.taps.size, 0);
  for (let clip = 0; clip < CLIPS; clip++) {
    near(row(taps.get('audio'), clip), cleanAudio(clip));
    near(row(taps.get('hidden'), clip), hiddenOf(cleanAudio(clip), frames(clip)));
  }
  await assert.rejects(
    victim.predict(inputs, { taps: ['smell'] }),
    /'smell' is no tap of this victim; its taps are audio, hidden/,
  );
});

test('predictions take the values of taps from outside', async () => {
  const moved = Float32Array.from(
    cleanAudio(0).concat(cleanAudio(1), cleanAudio(2)),
    (value, i) => value + Math.cos(i),
  );
  const tapValues = new Map([['audio', { dims: [CLIPS, HIDDEN], data: moved }]]);
  const given = await victim.predict(inputs, { taps: ['audio', 'hidden'], tapValues });
  near(given.taps.get('audio')?.data ?? [], moved, 0);
  for (let clip = 0; clip < CLIPS; clip++) {
    const hidden = hiddenOf(Array.from(moved.slice(clip * HIDDEN, (clip + 1) * HIDDEN)), frames(clip));
    near(row(given.taps.get('hidden'), clip), hidden);
    near(row(given.logits, clip), logitsOf(hidden));
  }
  assert.deepEqual((await victim.predict(inputs, { tapValues })).logits, given.logits);
  const wrong = new Map([['audio', { dims: [HIDDEN, CLIPS], data: moved }]]);
  await assert.rejects(victim.predict(inputs, { tapValues: wrong }), /must be float32 \[3, 4\]/);
});

test('a tap as a variable starts at its clean value, and its gradient is that of the rest of the victim', async () => {
  const step = program((b) => {
    b.write('next/audio', b.minus(b.read('x/audio', [HIDDEN]), b.read('grad/audio', [HIDDEN])));
    b.write('next/state/moved', b.minus(b.read('tap/audio', [HIDDEN]), b.read('x0/audio', [HIDDEN])));
    b.write('next/state/gradient', b.op('Identity', ['grad/audio']));
  });
  const variables = [{ name: 'audio', scope: 'example' }] as const;
  await using loop = await victim.open(planOf({ objective: sumOfTargets(), step }, { variables }), {});
  const start = (await loop.fetch(['x/audio'])).get('x/audio');
  await loop.step({ steps: 1, parameters: {} });
  const first = await stateOf(loop, 'gradient');
  await loop.step({ steps: 1, parameters: {} });
  const [second, moved] = [await stateOf(loop, 'gradient'), await stateOf(loop, 'moved')];
  for (let clip = 0; clip < CLIPS; clip++) {
    near(row(start, clip), cleanAudio(clip));
    near(row(first, clip), slopes(lossOfAudio(clip), cleanAudio(clip)));
    near(
      row(moved, clip),
      row(first, clip).map((value) => -value),
    );
    const there = cleanAudio(clip).map((value, i) => value - (row(first, clip)[i] ?? 0));
    near(row(second, clip), slopes(lossOfAudio(clip), there));
  }
  const { gradients } = await victim.differentiate({ inputs, targets, objective: 'logit_sum', variables: ['audio'] });
  near(gradients.get('audio')?.data ?? [], first.data as Float32Array, 1e-6);
});

test('programs read taps: at the point that is evaluated, and at the clean one', async () => {
  // How far the representation has moved, squared; its gradient at the clean point is 0, so that a push comes first.
  const objective = program((b) => {
    const moved = b.minus(b.read('tap/hidden', [HIDDEN]), b.read('tap0/hidden', [HIDDEN]));
    b.write('loss', b.negate(b.reduceSum(b.times(moved, moved), [1], false)));
  });
  const step = program((b) => {
    const push = b.times(b.op('Sign', [b.read('x0/waveform', [SAMPLES])]), b.scalar(0.1));
    b.write(
      'next/waveform',
      b.minus(b.plus(b.read('x/waveform', [SAMPLES]), push), b.read('grad/waveform', [SAMPLES])),
    );
    b.write('outcome/loss', b.op('Identity', [b.read('loss')]));
    b.write('next/state/hidden', b.op('Identity', [b.read('tap/hidden', [HIDDEN])]));
  });
  await using loop = await victim.open(planOf({ objective, step }), {});
  const { outcomes } = await loop.step({ steps: 3, parameters: {}, finish: true });
  const x = (await loop.fetch(['x/waveform'])).get('x/waveform');
  const hidden = await stateOf(loop, 'hidden');
  const losses = outcomes.get('loss') ?? new Float32Array();
  near(losses.slice(0, CLIPS), new Array(CLIPS).fill(0), 1e-9);
  for (let clip = 0; clip < CLIPS; clip++) {
    const now = hiddenOf(audioOf(row(x, clip)), frames(clip));
    const clean = hiddenOf(cleanAudio(clip), frames(clip));
    near(row(hidden, clip), now);
    near([losses[3 * CLIPS + clip] ?? 0], [-now.reduce((sum, value, i) => sum + (value - (clean[i] ?? 0)) ** 2, 0)]);
  }
});

test('a tap and an input beside it are attacked together; a tap below an attacked input is refused', async () => {
  const both = (...names: string[]) => names.map((name) => ({ name, scope: 'example' }) as const);
  const step = recorder(
    new Map([
      ['grad/audio', ['examples', HIDDEN]],
      ['grad/frames', ['examples', 2, 3, 2, 2]],
    ]),
  );
  await using loop = await victim.open(
    planOf({ objective: sumOfTargets(), step }, { variables: both('audio', 'frames') }),
    {},
  );
  await loop.step({ steps: 1, parameters: {} });
  const { gradients } = await victim.differentiate({ inputs, targets, objective: 'logit_sum', variables: ['frames'] });
  near((await stateOf(loop, 'grad/frames')).data as Float32Array, gradients.get('frames')?.data as Float32Array, 1e-6);
  const plan = planOf({ objective: sumOfTargets(), step: recorder(new Map([['loss', ['examples']]])) });
  for (const [one, other] of [
    ['waveform', 'audio'],
    ['hidden', 'audio'],
  ] as const) {
    await assert.rejects(
      victim.open({ ...plan, variables: both(one, other) }, {}),
      /is a tap whose value variable .* decides/,
    );
  }
});
