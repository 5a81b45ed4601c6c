import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import type { LoopPlan } from '@faultline/victim';
import { LocalVictim } from './local-victim.ts';
import { linearVictim } from './testing.ts';

const SAMPLES = 6;
const PIXELS = 2 * 3 * 2 * 2;
const LABELS = 3;
const CLIPS = 2;

const ramp = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(i + 1));
const waveformWeights = ramp(SAMPLES * LABELS, 1);
const framesWeights = ramp(PIXELS * LABELS, 0.5);
const toy = linearVictim({
  waveform: waveformWeights,
  frames: framesWeights,
  bias: ramp(LABELS, 0.1),
  frameDims: [2, 2, 2],
});
const inputs = new Map([
  ['waveform', { dims: [CLIPS, SAMPLES], data: ramp(CLIPS * SAMPLES, 0.3) }],
  ['frames', { dims: [CLIPS, 2, 3, 2, 2], data: ramp(CLIPS * PIXELS, 0.4).map((x) => 0.5 + x) }],
]);

/** loss = sum of the targets' logits */
function objective(): Uint8Array {
  const b = new GraphBuilder();
  const chosen = b.times(b.input('logits', ['examples', LABELS]), b.input('targets', ['examples', LABELS]));
  b.output(b.reduceSum(chosen, [1], false), ['examples'], 'float32', 'loss');
  return encodeModel(b.model());
}

/** x <- x - stepSize * gradient; counts its steps in a state */
function descent(): Uint8Array {
  const b = new GraphBuilder();
  const size = b.reshape(b.input('param/stepSize', ['examples']), [-1, 1]);
  const moved = b.minus(
    b.input('x/waveform', ['examples', SAMPLES]),
    b.times(size, b.input('grad/waveform', ['examples', SAMPLES])),
  );
  b.output(moved, ['examples', SAMPLES], 'float32', 'next/waveform');
  const count = b.plus(b.input('state/count', ['examples']), b.scalar(1));
  b.output(count, ['examples'], 'float32', 'next/state/count');
  b.output(b.input('loss', ['examples']), ['examples'], 'float32', 'outcome/loss');
  return encodeModel(b.model());
}

/** x <- x0 + radius * noise */
function start(): Uint8Array {
  const b = new GraphBuilder();
  const radius = b.reshape(b.input('param/radius', ['examples']), [-1, 1]);
  const moved = b.plus(
    b.input('x0/waveform', ['examples', SAMPLES]),
    b.times(radius, b.input('noise/waveform', ['examples', SAMPLES])),
  );
  b.output(moved, ['examples', SAMPLES], 'float32', 'next/waveform');
  return encodeModel(b.model());
}

const exampleClips = [0, 0, 1];
const targets = { dims: [3, LABELS], data: Float32Array.of(1, 0, 0, 0, 1, 1, 0, 0, 1) };
const plan = (more: Partial<LoopPlan> = {}): LoopPlan => ({
  modelSha256: toy.card.sha256,
  programs: { objective: objective(), step: descent() },
  variables: [{ name: 'waveform', scope: 'example' }],
  exampleClips,
  inputs,
  targets,
  ...more,
});

/** sum over the example's targets of a weight row: the exact gradient */
const gradient = (example: number, sample: number) =>
  Array.from(
    { length: LABELS },
    (_, l) => (targets.data[example * LABELS + l] ?? 0) * (waveformWeights[sample * LABELS + l] ?? 0),
  ).reduce((a, b) => a + b);

test('steps move each example along its exact gradient, whatever its clip', async () => {
  await using victim = await LocalVictim.load(toy);
  await using loop = await victim.open(plan(), {});
  const stepSize = Float32Array.of(0.1, 0.2, 0.3, 0.01, 0.02, 0.03);
  const result = await loop.step({ steps: 2, parameters: { stepSize }, finish: true });
  assert.equal(result.stepsDone, 2);
  assert.equal(result.finished, true);
  assert.deepEqual(result.cost, { forwardExamples: 9, gradientExamples: 6 });
  assert.equal(result.outcomes.get('loss')?.length, 9);
  const fetched = await loop.fetch(['x/waveform', 'state/count']);
  const x = fetched.get('x/waveform');
  const clean = inputs.get('waveform');
  for (let example = 0; example < 3; example++) {
    for (let sample = 0; sample < SAMPLES; sample++) {
      const moved = (stepSize[example] ?? 0) + (stepSize[example + 3] ?? 0);
      const expected =
        (clean?.data[(exampleClips[example] ?? 0) * SAMPLES + sample] ?? 0) - moved * gradient(example, sample);
      assert.ok(Math.abs(Number(x?.data[example * SAMPLES + sample]) - expected) < 1e-5);
    }
  }
  assert.deepEqual(
    [...(fetched.get('state/count')?.data ?? [])],
    [3, 3, 3],
    'the finishing evaluation updates the state too',
  );
});

test('the finishing outcome is what a fresh prediction says of the final point', async () => {
  await using victim = await LocalVictim.load(toy);
  await using loop = await victim.open(
    plan({ exampleClips: [0, 1], targets: { dims: [2, LABELS], data: Float32Array.of(1, 0, 0, 0, 1, 0) } }),
    {},
  );
  const { outcomes } = await loop.step({ steps: 3, parameters: { stepSize: Float32Array.of(0.1, 0.1) }, finish: true });
  const x = (await loop.fetch(['x/waveform'])).get('x/waveform');
  assert.ok(x);
  const { logits } = await victim.predict(new Map([...inputs, ['waveform', x]]));
  const last = outcomes.get('loss')?.slice(-2);
  assert.ok(Math.abs((last?.[0] ?? 0) - (logits.data[0] ?? 1)) < 1e-5);
  assert.ok(Math.abs((last?.[1] ?? 0) - (logits.data[LABELS + 1] ?? 1)) < 1e-5);
});

test('dropping examples leaves the others as they were', async () => {
  await using victim = await LocalVictim.load(toy);
  await using whole = await victim.open(plan(), {});
  await using fewer = await victim.open(plan(), {});
  await whole.step({ steps: 2, parameters: { stepSize: Float32Array.of(0.1, 0.2, 0.3) } });
  await fewer.step({ steps: 1, parameters: { stepSize: Float32Array.of(0.1, 0.2, 0.3) } });
  await fewer.keep([0, 2]);
  assert.equal(fewer.examples, 2);
  await fewer.step({ steps: 1, parameters: { stepSize: Float32Array.of(0.1, 0.3) } });
  const kept = (await fewer.fetch(['x/waveform'])).get('x/waveform');
  const all = (await whole.fetch(['x/waveform'], [0, 2])).get('x/waveform');
  assert.deepEqual(kept, all);
});

test('an example starts from the same noise in whatever batch it stands; a restart draws anew', async () => {
  await using victim = await LocalVictim.load(toy);
  const programs = { objective: objective(), step: descent(), init: start() };
  const radius = Float32Array.of(0.1, 0.1, 0.1);
  const noise = [{ name: 'waveform', distribution: 'uniform', dims: [SAMPLES] }] as const;
  await using loop = await victim.open(plan({ programs, noise, noiseKeys: BigUint64Array.of(7n, 8n, 9n) }), { radius });
  const first = (await loop.fetch(['x/waveform'])).get('x/waveform');
  await using alone = await victim.open(
    plan({
      programs,
      exampleClips: [1],
      targets: { dims: [1, LABELS], data: Float32Array.of(0, 0, 1) },
      noise,
      noiseKeys: BigUint64Array.of(9n),
    }),
    { radius: radius.slice(0, 1) },
  );
  const single = (await alone.fetch(['x/waveform'])).get('x/waveform');
  assert.deepEqual(single?.data, first?.data.slice(2 * SAMPLES));
  await loop.restart({ radius });
  assert.notDeepEqual((await loop.fetch(['x/waveform'])).get('x/waveform'), first);
});

test('what does not fit is refused with the field and the remedy', async () => {
  await using victim = await LocalVictim.load(toy);
  await assert.rejects(
    victim.open(plan({ variables: [{ name: 'wave', scope: 'example' }] }), {}),
    /variable 'wave' is no input or tap of this victim; its inputs are waveform, frames/,
  );
  await assert.rejects(
    victim.open(plan({ targets: { dims: [1, 3], data: new Float32Array(3) } }), {}),
    /targets are \[1, 3\]; they must be \[3, 3\]/,
  );
  const random = new GraphBuilder();
  random.output(
    random.op('RandomNormalLike', [random.input('logits', ['examples', LABELS])]),
    undefined,
    'float32',
    'loss',
  );
  const programs = { objective: encodeModel(random.model()), step: descent() };
  await assert.rejects(
    victim.open(plan({ programs }), {}),
    /objective program: RandomNormalLike node .* is not an allowed operator/,
  );
  const { card } = toy;
  await assert.rejects(
    LocalVictim.load({ model: toy.model, card: { ...card, sha256: '0'.repeat(64) } }),
    /card field 'sha256'/,
  );
});

test('a branch that the attack cannot touch is computed ahead, and the gradient is still exact', async () => {
  // logits = (waveform W) * relu(frames V): the gradient to the waveform carries the picture's branch as a factor.
  const sound = ramp(SAMPLES * LABELS, 1);
  const picture = ramp(PIXELS * LABELS, 1);
  const b = new GraphBuilder();
  const heard = b.matmul(b.input('waveform', ['batch', SAMPLES]), b.constant(float32(sound, [SAMPLES, LABELS])));
  const flat = b.reshape(b.input('frames', ['batch', 2, 3, 2, 2]), [-1, PIXELS]);
  const seen = b.relu(b.matmul(flat, b.constant(float32(picture, [PIXELS, LABELS]))));
  b.output(b.times(heard, seen), ['batch', LABELS], 'float32', 'logits');
  const model = encodeModel(b.model());
  const card = { ...toy.card, sha256: createHash('sha256').update(model).digest('hex') };
  await using victim = await LocalVictim.load({ model, card });
  await using loop = await victim.open(plan({ modelSha256: card.sha256 }), {});
  await loop.step({ steps: 1, parameters: { stepSize: Float32Array.of(1, 1, 1) } });
  await loop.keep([1, 2]);
  await loop.step({ steps: 1, parameters: { stepSize: Float32Array.of(1, 1) } });
  const x = (await loop.fetch(['x/waveform'])).get('x/waveform');
  const pixels = inputs.get('frames')?.data ?? new Float32Array();
  for (const [row, example] of [1, 2].entries()) {
    const clip = exampleClips[example] ?? 0;
    for (let sample = 0; sample < SAMPLES; sample++) {
      let slope = 0;
      for (let label = 0; label < LABELS; label++) {
        let activation = 0;
        for (let p = 0; p < PIXELS; p++)
          activation += (pixels[clip * PIXELS + p] ?? 0) * (picture[p * LABELS + label] ?? 0);
        slope +=
          (targets.data[example * LABELS + label] ?? 0) *
          (sound[sample * LABELS + label] ?? 0) *
          Math.max(0, activation);
      }
      const expected = Number(inputs.get('waveform')?.data[clip * SAMPLES + sample]) - 2 * slope;
      assert.ok(Math.abs(Number(x?.data[row * SAMPLES + sample]) - expected) < 1e-4);
    }
  }
});
