import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { fillNoise } from './noise.ts';
import { descent, near, planOf, program, recorder, stateOf, sumOfTargets, targets } from './test-support/programs.ts';
import {
  CLIPS,
  inputs,
  LABELS,
  logitsAt,
  row,
  SAMPLES,
  slopes,
  twoLayerVictim,
} from './test-support/two-layer-victim.ts';

const victim = await twoLayerVictim();
after(() => victim[Symbol.asyncDispose]());

const KEYS = BigUint64Array.of(5n, 6n, 7n);
const COUNT = 4;

/** seen = x + noise */
const smoothing = program((b) => {
  const noise = b.read('noise/smooth', [COUNT, SAMPLES]);
  b.write('seen/waveform', b.plus(b.read('x/waveform', [COUNT, SAMPLES]), noise));
});

const draw = (clip: number, step: number, sample: number) => {
  const values = new Float32Array(SAMPLES);
  fillNoise(values, KEYS[clip] ?? 0n, { name: 'smooth', restart: 0, evaluation: { step, sample } }, 'normal');
  return [...values];
};

const chosen = (clip: number) => (waveform: readonly number[]) =>
  logitsAt(waveform, clip).reduce((sum, z, label) => sum + z * (targets.data[clip * LABELS + label] ?? 0), 0);

const noise = [{ name: 'smooth', distribution: 'normal', dims: [SAMPLES] }] as const;

test('the mean gradient over samples is the average of their separate gradients', async () => {
  const step = recorder(
    new Map([
      ['grad/waveform', ['examples', SAMPLES]],
      ['loss', ['examples', COUNT]],
      ['logits', ['examples', COUNT, LABELS]],
    ]),
  );
  const samples = { count: COUNT, gradient: 'mean' } as const;
  const programs = { transform: smoothing, objective: sumOfTargets(COUNT), step };
  await using loop = await victim.open(planOf(programs, { samples, noise, noiseKeys: KEYS }), {});
  const { cost } = await loop.step({ steps: 1, parameters: {}, finish: true });
  assert.deepEqual(cost, { forwardExamples: 2 * CLIPS * COUNT, gradientExamples: CLIPS * COUNT });
  await using again = await victim.open(planOf(programs, { samples, noise, noiseKeys: KEYS }), {});
  await again.step({ steps: 1, parameters: {} });
  const gradient = await stateOf(again, 'grad/waveform');
  const losses = await stateOf(again, 'loss');
  for (let clip = 0; clip < CLIPS; clip++) {
    const points = Array.from({ length: COUNT }, (_, sample) => {
      const noisy = draw(clip, 0, sample);
      return row(inputs.get('waveform'), clip).map((value, i) => value + (noisy[i] ?? 0));
    });
    near(row(losses, clip), points.map(chosen(clip)));
    const separate = points.map((point) => slopes(chosen(clip), point));
    near(
      row(gradient, clip),
      Array.from({ length: SAMPLES }, (_, i) => separate.reduce((sum, one) => sum + (one[i] ?? 0), 0) / COUNT),
      2e-4,
    );
  }
});

test('each sample keeps its gradient: one-hot rows make the Jacobian, as one differentiation a label does', async () => {
  const oneHot = Float32Array.from({ length: LABELS * LABELS }, (_, i) => (i % (LABELS + 1) === 0 ? 1 : 0));
  const objective = program((b) => {
    const rows = b.input('const/labels', [LABELS, LABELS]);
    b.write('loss', b.reduceSum(b.times(b.read('logits', [LABELS, LABELS]), rows), [2], false));
  });
  const step = recorder(new Map([['grad/waveform', ['examples', LABELS, SAMPLES]]]));
  const plan = planOf(
    { objective, step },
    {
      samples: { count: LABELS, gradient: 'each' },
      constants: new Map([['labels', { dims: [LABELS, LABELS], data: oneHot }]]),
    },
  );
  await using loop = await victim.open(plan, {});
  await loop.step({ steps: 1, parameters: {} });
  const jacobian = await stateOf(loop, 'grad/waveform');
  assert.deepEqual(jacobian.dims, [CLIPS, LABELS, SAMPLES]);
  for (let label = 0; label < LABELS; label++) {
    const wanted = Float32Array.from({ length: CLIPS * LABELS }, (_, i) => (i % LABELS === label ? 1 : 0));
    const { gradients } = await victim.differentiate({
      inputs,
      targets: { dims: [CLIPS, LABELS], data: wanted },
      objective: 'logit_sum',
      variables: ['waveform'],
    });
    for (let clip = 0; clip < CLIPS; clip++) {
      near(
        row(jacobian, clip).slice(label * SAMPLES, (label + 1) * SAMPLES),
        row(gradients.get('waveform'), clip),
        1e-6,
      );
      near(
        row(gradients.get('waveform'), clip),
        slopes((x) => logitsAt(x, clip)[label] ?? 0, row(inputs.get('waveform'), clip)),
      );
    }
  }
});

test('a loop of one sample without noise is a loop without samples', async () => {
  await using plain = await victim.open(planOf({ objective: sumOfTargets(), step: descent }), {});
  const step = program((b) => {
    b.write('next/waveform', b.minus(b.read('x/waveform', [SAMPLES]), b.read('grad/waveform', [SAMPLES])));
    b.write('outcome/loss', b.reshape(b.read('loss', [1]), [-1]));
  });
  const samples = { count: 1, gradient: 'mean' } as const;
  await using sampled = await victim.open(planOf({ objective: sumOfTargets(1), step }, { samples }), {});
  const [one, other] = [
    await plain.step({ steps: 3, parameters: {} }),
    await sampled.step({ steps: 3, parameters: {} }),
  ];
  near(other.outcomes.get('loss') ?? [], one.outcomes.get('loss') ?? [], 1e-6);
});

test('examples times samples are bounded', async () => {
  const plan = planOf({ objective: sumOfTargets(100), step: recorder(new Map([['loss', ['examples', 100]]])) });
  await assert.rejects(
    victim.open({ ...plan, samples: { count: 100, gradient: 'mean' } }, {}),
    /a loop holds 1 to 2 examples of 100 samples, not 3/,
  );
});
