import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { float32, type GraphBuilder, int } from '@faultline/onnx';
import type { LoopPlan } from '@faultline/victim';
import { LocalVictim } from './local-victim.ts';
import { fillNoise } from './noise.ts';
import { near, program, stateOf, type TestProgram } from './test-support/programs.ts';
import { linearVictim } from './testing.ts';

// Proof that attacks of very different kinds fit the protocol, each reduced to what is particular to it, on a victim whose
// answers are known in closed form.

const SAMPLES = 16;
const LABELS = 3;
const CLIPS = 2;
const ramp = (length: number, scale: number, phase = 0) =>
  Float32Array.from({ length }, (_, i) => scale * Math.sin(1.3 * i + phase));
const weights = ramp(SAMPLES * LABELS, 0.5, 1);
const linear = linearVictim({
  waveform: weights,
  frames: new Float32Array(12 * LABELS),
  bias: ramp(LABELS, 0.2),
  frameDims: [1, 2, 2],
});
const victim = await LocalVictim.load(linear);
after(() => victim[Symbol.asyncDispose]());

const waveform = { dims: [CLIPS, SAMPLES], data: ramp(CLIPS * SAMPLES, 0.3, 2) };
const frames = { dims: [CLIPS, 1, 3, 2, 2], data: new Float32Array(CLIPS * 12) };
const inputs = new Map([
  ['waveform', waveform],
  ['frames', frames],
]);
const weight = (label: number, sample: number) => weights[sample * LABELS + label] ?? 0;
const labelWeights = (label: number) => Array.from({ length: SAMPLES }, (_, sample) => weight(label, sample));
const logits = (x: readonly number[], label: number) =>
  x.reduce((sum, value, sample) => sum + value * weight(label, sample), ramp(LABELS, 0.2)[label] ?? 0);
const cleanRow = (clip: number) => [...waveform.data.slice(clip * SAMPLES, (clip + 1) * SAMPLES)];
const oneHot = (...labels: readonly number[]) => ({
  dims: [labels.length, LABELS],
  data: Float32Array.from(labels.flatMap((label) => Array.from({ length: LABELS }, (_, i) => (i === label ? 1 : 0)))),
});
/** The strongest label of each clip. */
const strongest = [0, 1].map((clip) => {
  const all = Array.from({ length: LABELS }, (_, label) => logits(cleanRow(clip), label));
  return all.indexOf(Math.max(...all));
});
const plan = (programs: LoopPlan['programs'], more: Partial<LoopPlan> = {}): LoopPlan => ({
  modelSha256: linear.card.sha256,
  programs,
  variables: [{ name: 'waveform', scope: 'example' }],
  exampleClips: [0, 1],
  inputs,
  targets: oneHot(...strongest),
  ...more,
});
const point = async (loop: Awaited<ReturnType<LocalVictim['open']>>) => {
  const x = (await loop.fetch(['x/waveform'])).get('x/waveform');
  return (row: number) => Array.from(x?.data.slice(row * SAMPLES, (row + 1) * SAMPLES) ?? [], Number);
};
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
const length = (a: readonly number[]) => Math.sqrt(dot(a, a));

test('DeepFool: one step by the Jacobian goes exactly to the nearest boundary of a linear victim', async () => {
  const objective = program((b) => {
    const rows = b.input('const/labels', [LABELS, LABELS]);
    b.write('loss', b.reduceSum(b.times(b.read('logits', [LABELS, LABELS]), rows), [2], false));
  });
  const step = program((b) => {
    const targets = b.read('targets', [LABELS]);
    const z = b.reshape(b.slice(b.read('logits', [LABELS, LABELS]), [0], [1], [1]), [-1, LABELS]);
    const jacobian = b.read('grad/waveform', [LABELS, SAMPLES]);
    const own = b.reduceSum(b.times(jacobian, b.reshape(targets, [-1, LABELS, 1])), [1]);
    const normals = b.minus(jacobian, own);
    const gaps = b.minus(b.reduceSum(b.times(z, targets), [1]), z);
    const squares = b.plus(b.reduceSum(b.times(normals, normals), [2], false), targets);
    const distances = b.plus(b.over(gaps, b.op('Sqrt', [squares])), b.times(targets, b.scalar(1e9)));
    const nearest = b.op('Equal', [distances, b.op('ReduceMin', [distances, b.ints([1])])]);
    const share = b.times(b.over(gaps, squares), b.op('Cast', [nearest], { to: int(1) }));
    const move = b.reduceSum(b.times(normals, b.reshape(share, [-1, LABELS, 1])), [1], false);
    b.write('next/waveform', b.plus(b.read('x/waveform', [SAMPLES]), move));
    b.write('outcome/distance', b.op('ReduceMin', [distances, b.ints([1])], { keepdims: int(0) }));
  });
  const labels = float32([1, 0, 0, 0, 1, 0, 0, 0, 1], [LABELS, LABELS]);
  await using loop = await victim.open(
    plan(
      { objective, step },
      {
        samples: { count: LABELS, gradient: 'each' },
        constants: new Map([
          ['labels', { dims: [LABELS, LABELS], data: Float32Array.from(labels.data as Float32Array) }],
        ]),
      },
    ),
    {},
  );
  const { outcomes } = await loop.step({ steps: 1, parameters: {} });
  const x = await point(loop);
  for (let clip = 0; clip < CLIPS; clip++) {
    const own = strongest[clip] ?? 0;
    const others = [0, 1, 2].filter((label) => label !== own);
    const distances = others.map((label) => {
      const gap = logits(cleanRow(clip), own) - logits(cleanRow(clip), label);
      return gap / length(labelWeights(own).map((value, i) => value - weight(label, i)));
    });
    near([outcomes.get('distance')?.[clip] ?? 0], [Math.min(...distances)]);
    near([length(x(clip).map((value, i) => value - (cleanRow(clip)[i] ?? 0)))], [Math.min(...distances)]);
    const reached = others[distances.indexOf(Math.min(...distances))] ?? 0;
    near([logits(x(clip), own)], [logits(x(clip), reached)]);
  }
});

test('expectation over transformations: a gradient through random onsets is the mean over the shifts drawn', async () => {
  const COUNT = 8;
  const transform = program((b) => {
    // Sample i of what is heard is sample (i + shift) mod length of the point; shifts are -4 to 3.
    const shift = b.op('Floor', [b.times(b.read('noise/onset', [COUNT, 1]), b.scalar(4))]);
    const positions = b.constant(
      float32(
        Float32Array.from({ length: SAMPLES }, (_, i) => i + SAMPLES),
        [1, 1, SAMPLES],
      ),
    );
    const index = b.op('Mod', [b.plus(positions, shift), b.scalar(SAMPLES)], { fmod: int(1) });
    const indices = b.op('Cast', [index], { to: int(7) });
    b.write(
      'seen/waveform',
      b.op('GatherElements', [b.read('x/waveform', [COUNT, SAMPLES]), indices], { axis: int(2) }),
    );
  });
  const objective = program((b) => {
    const targets = b.reshape(b.read('targets', [LABELS]), [-1, 1, LABELS]);
    b.write('loss', b.reduceSum(b.times(b.read('logits', [COUNT, LABELS]), targets), [2], false));
  });
  const step = program((b) =>
    b.write('next/waveform', b.minus(b.read('x/waveform', [SAMPLES]), b.read('grad/waveform', [SAMPLES]))),
  );
  const keys = BigUint64Array.of(3n, 4n);
  await using loop = await victim.open(
    plan(
      { transform, objective, step },
      {
        samples: { count: COUNT, gradient: 'mean' },
        noise: [{ name: 'onset', distribution: 'uniform', dims: [1] }],
        noiseKeys: keys,
      },
    ),
    {},
  );
  await loop.step({ steps: 1, parameters: {} });
  const x = await point(loop);
  for (let clip = 0; clip < CLIPS; clip++) {
    const shifts = Array.from({ length: COUNT }, (_, sample) => {
      const drawn = new Float32Array(1);
      fillNoise(drawn, keys[clip] ?? 0n, { name: 'onset', restart: 0, evaluation: { step: 0, sample } }, 'uniform');
      return Math.floor(4 * (drawn[0] ?? 0));
    });
    assert.ok(new Set(shifts).size > 2);
    const own = labelWeights(strongest[clip] ?? 0);
    const expected = cleanRow(clip).map((value, i) => {
      const heardAt = shifts.map((shift) => own[(i - shift + 2 * SAMPLES) % SAMPLES] ?? 0);
      return value - heardAt.reduce((sum, one) => sum + one, 0) / COUNT;
    });
    near(x(clip), expected);
  }
});

test('a universal perturbation grows over several batches and keeps its budget', async () => {
  const EPSILON = 0.05;
  const transform = program((b) =>
    b.write('seen/waveform', b.plus(b.read('x0/waveform', [SAMPLES]), b.input('x/waveform', [1, SAMPLES]))),
  );
  const objective = program((b) =>
    b.write('loss', b.reduceSum(b.times(b.read('logits', [LABELS]), b.read('targets', [LABELS])), [1], false)),
  );
  const step = program((b) => {
    // Momentum is shared state: the sum of all batches' gradients.
    const momentum = b.plus(b.input('state/momentum', [1, SAMPLES]), b.input('grad/waveform', [1, SAMPLES]));
    b.write('next/state/momentum', momentum);
    const moved = b.minus(
      b.input('x/waveform', [1, SAMPLES]),
      b.times(b.op('Sign', [momentum]), b.scalar(EPSILON / 2)),
    );
    b.write('next/waveform', b.op('Clip', [moved, b.scalar(-EPSILON), b.scalar(EPSILON)]));
  });
  const variables = [{ name: 'waveform', scope: 'shared' }] as const;
  await using loop = await victim.open(plan({ transform, objective, step }, { variables, targets: oneHot(0, 0) }), {});
  const batches = [[0, 1], [2, 2, 2], [1]];
  await loop.step({ steps: 3, parameters: {} });
  for (const labels of batches.slice(1)) {
    await loop.rebatch({ exampleClips: labels.map((_, i) => i % CLIPS), inputs, targets: oneHot(...labels) });
    await loop.step({ steps: 3, parameters: {} });
  }
  const total = Array.from({ length: SAMPLES }, (_, i) => 3 * (2 * weight(0, i) + 3 * weight(2, i) + weight(1, i)));
  near((await stateOf(loop, 'momentum')).data as Float32Array, total, 1e-4);
  const delta = Array.from((await loop.fetch(['x/waveform'])).get('x/waveform')?.data ?? [], Number);
  assert.ok(delta.every((value) => Math.abs(value) <= EPSILON + 1e-7));
});

/** |DFT| of rows, [.., SAMPLES / 2 + 1]. */
function spectrum(b: TestProgram, rows: string): string {
  const complex = b.op(
    'DFT',
    [
      b.op('Unsqueeze', [rows, b.ints([2])]),
      '',
      b.constant({ dataType: 'int64', dims: [], data: BigInt64Array.of(1n) }),
    ],
    { onesided: int(1) },
  );
  return b.op('ReduceL2', [complex, b.ints([2])], { keepdims: int(0) });
}

test('a psychoacoustic threshold is computed once, at opening, and constrains every step', async () => {
  const BINS = SAMPLES / 2 + 1;
  const SHARE = 0.1;
  const init = program((b) => {
    const clean = b.read('x0/waveform', [SAMPLES]);
    b.write('next/state/threshold', b.times(spectrum(b, clean), b.scalar(SHARE)));
    b.write('next/waveform', b.plus(clean, b.times(b.op('Sign', [clean]), b.scalar(0.2))));
  });
  const excess = (b: TestProgram) => {
    const delta = b.minus(b.read('x/waveform', [SAMPLES]), b.read('x0/waveform', [SAMPLES]));
    return b.relu(b.minus(spectrum(b, delta), b.read('state/threshold', [BINS])));
  };
  const objective = program((b) =>
    b.write(
      'loss',
      b.plus(
        b.reduceSum(excess(b), [1], false),
        b.times(b.scalar(0), b.reduceSum(b.read('logits', [LABELS]), [1], false)),
      ),
    ),
  );
  const step = program((b) => {
    b.write('outcome/excess', b.op('Identity', [b.read('loss')]));
    b.write(
      'next/waveform',
      b.minus(b.read('x/waveform', [SAMPLES]), b.times(b.read('grad/waveform', [SAMPLES]), b.scalar(0.004))),
    );
  });
  await using loop = await victim.open(plan({ objective, step, init }), {});
  const threshold = await stateOf(loop, 'threshold');
  const magnitude = (x: readonly number[], bin: number) => {
    const turn = (i: number) => (-2 * Math.PI * bin * i) / SAMPLES;
    return Math.hypot(
      dot(
        x,
        x.map((_, i) => Math.cos(turn(i))),
      ),
      dot(
        x,
        x.map((_, i) => Math.sin(turn(i))),
      ),
    );
  };
  const expected = [0, 1].flatMap((clip) =>
    Array.from({ length: BINS }, (_, bin) => SHARE * magnitude(cleanRow(clip), bin)),
  );
  near(threshold.data as Float32Array, expected, 1e-4);
  const { outcomes } = await loop.step({ steps: 30, parameters: {}, finish: true });
  const path = outcomes.get('excess') ?? new Float32Array();
  for (let clip = 0; clip < CLIPS; clip++) assert.ok((path.at(clip - CLIPS) ?? 1) < 0.5 * (path[clip] ?? 0));
  assert.deepEqual((await stateOf(loop, 'threshold')).data, threshold.data);
});

test('HopSkipJump: labels alone give a direction, and a search along it stays adversarial while it comes closer', async () => {
  const COUNT = 100;
  // Decisions alone: 1 where the label is still on, -1 where it is off.
  const objective = program((b) => {
    const z = b.reduceSum(
      b.times(b.read('logits', [COUNT, LABELS]), b.reshape(b.read('targets', [LABELS]), [-1, 1, LABELS])),
      [2],
      false,
    );
    b.write('loss', b.op('Sign', [b.plus(z, b.scalar(1e-9))]));
  });
  const each = (b: GraphBuilder, value: string) => b.reshape(value, [-1, 1]);
  // param/probe: the radius of the probes, 0 in the search. Phase 1 leaves along the estimated direction, phase 2 halves the way back.
  const transform = program((b) => {
    const probe = b.reshape(b.input('param/probe', [1]), [1, 1, 1]);
    b.write(
      'seen/waveform',
      b.plus(b.read('x/waveform', [COUNT, SAMPLES]), b.times(b.read('noise/probe', [COUNT, SAMPLES]), probe)),
    );
  });
  const step = program((b) => {
    const searching = b.op('Equal', [b.input('param/probe', [1]), b.scalar(0)]);
    const decisions = b.read('loss', [COUNT]);
    const x = b.read('x/waveform', [SAMPLES]);
    const clean = b.read('x0/waveform', [SAMPLES]);
    const estimate = b.reduceMean(
      b.times(b.read('noise/probe', [COUNT, SAMPLES]), b.reshape(decisions, [-1, COUNT, 1])),
      [1],
      false,
    );
    const direction = b.over(estimate, b.op('ReduceL2', [estimate, b.ints([1])]));
    const away = b.minus(clean, b.times(direction, b.scalar(20)));
    const off = each(b, b.op('Less', [b.reduceMean(decisions, [1], false), b.scalar(0)]));
    // The outer end of the search is adversarial, the inner one is not.
    const outer = b.op('Where', [searching, b.op('Where', [off, x, b.read('state/outer', [SAMPLES])]), away]);
    const inner = b.op('Where', [searching, b.op('Where', [off, b.read('state/inner', [SAMPLES]), x]), clean]);
    b.write('next/state/direction', b.op('Where', [searching, b.read('state/direction', [SAMPLES]), direction]));
    b.write('next/state/outer', outer);
    b.write('next/state/inner', inner);
    b.write('next/waveform', b.times(b.plus(outer, inner), b.scalar(0.5)));
    b.write('outcome/distance', b.op('ReduceL2', [b.minus(outer, clean), b.ints([1])], { keepdims: int(0) }));
  });
  // Both clips start a hair from the boundary of label 0, where decisions tell a direction.
  const normal = labelWeights(0);
  const atBoundary = waveform.data.map((value, i) => {
    const clip = Math.floor(i / SAMPLES);
    return value - ((logits(cleanRow(clip), 0) - 0.01) / dot(normal, normal)) * (normal[i % SAMPLES] ?? 0);
  });
  await using loop = await victim.open(
    plan(
      { transform, objective, step },
      {
        inputs: new Map(inputs).set('waveform', { dims: [CLIPS, SAMPLES], data: atBoundary }),
        targets: oneHot(0, 0),
        mode: 'evaluate',
        samples: { count: COUNT, gradient: 'mean' },
        noise: [{ name: 'probe', distribution: 'normal', dims: [SAMPLES] }],
        noiseKeys: BigUint64Array.of(1n, 2n),
      },
    ),
    {},
  );
  const { cost } = await loop.step({ steps: 1, parameters: { probe: Float32Array.of(0.5) } });
  assert.deepEqual(cost, { forwardExamples: CLIPS * COUNT, gradientExamples: 0 });
  const direction = await stateOf(loop, 'direction');
  const { outcomes } = await loop.step({ steps: 12, parameters: { probe: Float32Array.of(0) } });
  const distances = outcomes.get('distance') ?? new Float32Array();
  const outer = await stateOf(loop, 'outer');
  for (let clip = 0; clip < CLIPS; clip++) {
    const found = Array.from(direction.data.slice(clip * SAMPLES, (clip + 1) * SAMPLES), Number);
    const cosine = dot(found, normal) / length(normal);
    assert.ok(cosine > 0.8, `the direction is that of the weights: ${cosine}`);
    const end = Array.from(outer.data.slice(clip * SAMPLES, (clip + 1) * SAMPLES), Number);
    assert.ok(logits(end, 0) < 0);
    near([distances[11 * CLIPS + clip] ?? 0], [0.01 / (cosine * length(normal))], 0.01);
  }
});
