import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { DenseTensor } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { exampleDims, valueRange } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { testCard } from '@faultline/victim-local/testing';
import { defaultValues } from './attack-parameters.ts';
import { AttackRequestError } from './faults.ts';
import { mma, tia } from './feature-attacks.ts';
import { runAttack } from './run-attack.ts';
import { runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';
import { randomNumbers } from './testing/random.ts';

const SAMPLES = 64;
const FRAMES = 4;
const PIXELS = 3 * 2 * 2;
const FEATURES = 8;
const LABELS = 3;

const EPSILONS = { waveform: 0.2, frames: 0.1 } as const;

const random = randomNumbers(3);
const weights = (rows: number, columns: number) =>
  float32(
    Float32Array.from({ length: rows * columns }, () => (2 * random() - 1) / Math.sqrt(rows)),
    [rows, columns],
  );

/** Two branches with an embedding each, in which every moment has weights of its own; logits are linear in both. */
function twoBranches(audioFeatures: number) {
  const b = new GraphBuilder();
  const flat = b.reshape(b.input('frames', ['batch', FRAMES, 3, 2, 2]), [-1, FRAMES * PIXELS]);
  const audio = b.op('Tanh', [
    b.matmul(b.input('waveform', ['batch', SAMPLES]), b.constant(weights(SAMPLES, audioFeatures))),
  ]);
  const video = b.op('Tanh', [b.matmul(flat, b.constant(weights(FRAMES * PIXELS, FEATURES)))]);
  const logits = b.plus(
    b.matmul(audio, b.constant(weights(audioFeatures, LABELS))),
    b.matmul(video, b.constant(weights(FEATURES, LABELS))),
  );
  b.output(audio, ['batch', audioFeatures], 'float32', 'audio.embedding');
  b.output(video, ['batch', FEATURES], 'float32', 'video.embedding');
  b.output(b.plus(logits, b.constant(float32(Float32Array.of(3, 3, 3)))), ['batch', LABELS], 'float32', 'logits');
  const model = encodeModel(b.model('two-branches'));
  const card = testCard('two-branches', model, LABELS, {
    inputs: [
      { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } },
      { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames: FRAMES, height: 2, width: 2 } } },
    ],
    taps: [
      { name: 'audio.embedding', value: 'audio.embedding' },
      { name: 'video.embedding', value: 'video.embedding' },
    ],
  });
  return LocalVictim.load({ model, card });
}

const branches = await twoBranches(FEATURES);
after(() => branches[Symbol.asyncDispose]());

const inputs = new Map<string, DenseTensor>([
  ['waveform', { dims: [1, SAMPLES], data: Float32Array.from({ length: SAMPLES }, () => random() - 0.5) }],
  [
    'frames',
    { dims: [1, FRAMES, 3, 2, 2], data: Float32Array.from({ length: FRAMES * PIXELS }, () => 0.25 + random() / 2) },
  ],
]);

const request = (attack: string) =>
  runOf({
    inputs,
    labels: [[0]],
    labelCount: LABELS,
    norm: 'linf',
    budgets: new Map(Object.entries(EPSILONS)),
    attack,
    rungs: [[1, 'never']],
    steps: 10,
  });

/** The point of lowest margin that an attack finds. */
async function pointOf(attack: string): Promise<Map<string, DenseTensor>> {
  const points = new Map<string, DenseTensor>();
  for await (const event of runAttack(branches, request(attack))) {
    if (event.kind === 'result') for (const [name, tensor] of event.result.adversarial) points.set(name, tensor);
  }
  return points;
}

/** Cosine of the two embeddings at a point, in float64. */
async function cosineAt(at: ReadonlyMap<string, DenseTensor>): Promise<number> {
  const { taps } = await branches.predict(at, { taps: ['audio.embedding', 'video.embedding'] });
  const [a, v] = ['audio.embedding', 'video.embedding'].map((name) => Array.from(taps.get(name)?.data ?? [], Number));
  const dot = (x: readonly number[] = [], y: readonly number[] = []) =>
    x.reduce((sum, one, i) => sum + one * (y[i] ?? 0), 0);
  return dot(a, v) / Math.sqrt(dot(a, a) * dot(v, v));
}

/** Where an attack's last step ends, which is where its objective leads: the attack itself hands out the iterate of lowest margin. */
async function lastPoint(attack: typeof mma, parameters: Readonly<Record<string, number>>) {
  const { card, taps } = await branches.describe();
  const variables = card.inputs.map((input) => ({ name: input.name, dims: exampleDims(input), ...valueRange(input) }));
  const steps = 20;
  const plan = attack.plan(
    { variables, norm: 'linf', steps, thresholds: [0, 0, 0], logitScale: 1, taps },
    { ...defaultValues(attack.parameters), ...parameters },
  );
  // Wide enough to see where the objective leads.
  const budgets = [new Map(Object.entries(EPSILONS).map(([name, epsilon]) => [name, 3 * epsilon]))];
  const { programs, constants, noise, samples } = plan;
  await using loop = await branches.open(
    {
      modelSha256: card.sha256,
      programs,
      constants,
      noise,
      samples,
      inputs,
      targets: { dims: [1, LABELS], data: Float32Array.of(1, 0, 0) },
      exampleClips: [0],
      noiseKeys: BigUint64Array.of(5n),
      variables: variables.map(({ name }) => ({ name, scope: 'example' as const })),
    },
    plan.initParameters(budgets),
  );
  for (let step = 0; step < steps; step += 1) {
    await loop.step({ steps: 1, parameters: plan.stepParameters(budgets, step, 1) });
  }
  const point = await loop.fetch(variables.map(({ name }) => `x/${name}`));
  return new Map(variables.map(({ name }) => [name, point.get(`x/${name}`) ?? { dims: [], data: new Float32Array() }]));
}

/** Both inputs turned by a share of their length, as in a circular shift. */
function turned(at: ReadonlyMap<string, DenseTensor>, share: number): Map<string, DenseTensor> {
  return new Map(
    Array.from(at, ([name, { dims, data }]) => {
      const by = (Math.round(share * (dims[1] ?? 1)) * data.length) / (dims[1] ?? 1);
      const values = Array.from({ length: data.length }, (_, i) => Number(data[(i + by) % data.length]));
      return [name, { dims, data: Float32Array.from(values) }];
    }),
  );
}

/** Variance of both embeddings over shifts by quarters, relative to their mean square, in float64. */
async function varianceAt(at: ReadonlyMap<string, DenseTensor>): Promise<number> {
  const views = await Promise.all(
    [0, 0.25, 0.5, 0.75].map((share) =>
      branches.predict(turned(at, share), { taps: ['audio.embedding', 'video.embedding'] }),
    ),
  );
  const shares = ['audio.embedding', 'video.embedding'].map((tap) => {
    const rows = views.map(({ taps }) => Array.from(taps.get(tap)?.data ?? [], Number));
    const mean = (rows[0] ?? []).map((_, i) => rows.reduce((sum, row) => sum + (row[i] ?? 0), 0) / rows.length);
    const spread = rows.flatMap((row) => row.map((value, i) => (value - (mean[i] ?? 0)) ** 2));
    const power = rows.flat().map((value) => value * value);
    return spread.reduce((a, b) => a + b) / power.reduce((a, b) => a + b);
  });
  return shares.reduce((a, b) => a + b);
}

test('MMA turns the embeddings apart', async () => {
  const [before, after] = [await cosineAt(inputs), await cosineAt(await lastPoint(mma, {}))];
  assert.ok(after < before - 0.2, `cosine ${before} became ${after}`);
});

test('TIA makes the embeddings of shifted views alike', async () => {
  const point = await lastPoint(tia, { samples: 6, shift_share: 0.5 });
  const [before, after] = [await varianceAt(inputs), await varianceAt(point)];
  assert.ok(after < 0.85 * before, `variance ${before} became ${after}`);
});

test('all three keep budgets and lower the margin', async () => {
  const { logits: clean } = await branches.predict(inputs);
  for (const attack of ['tia', 'mma', 'tma']) {
    const point = await pointOf(attack);
    for (const [name, epsilon] of Object.entries(EPSILONS)) {
      const start = inputs.get(name)?.data ?? new Float32Array();
      assert.ok(point.get(name)?.data.every((value, i) => Math.abs(Number(value) - Number(start[i])) <= epsilon));
    }
    const { logits } = await branches.predict(point);
    assert.ok((logits.data[0] ?? 0) < (clean.data[0] ?? 0), attack);
  }
});

test('victims without these taps, or whose taps do not compare, are refused', async () => {
  await using linear = await LinearVictim.create(1);
  await using uneven = await twoBranches(FEATURES + 1);
  const run = request('mma');
  const first = async (asked: AsyncIterable<unknown>) => {
    for await (const _ of asked) return;
  };
  const plain = runOf({
    inputs: linear.clips(1, 0, 1),
    labels: [[0]],
    labelCount: 3,
    norm: 'linf',
    budgets: new Map([['waveform', 0.1]]),
    attack: 'tia',
    rungs: [[1, 'never']],
  });
  await assert.rejects(first(runAttack(linear.victim, plain)), (error) => {
    assert.ok(error instanceof AttackRequestError);
    assert.match(
      error.message,
      /threat_model.attack: 'tia' reads taps audio.embedding and video.embedding; those of victim 'linear' are: none/,
    );
    return true;
  });
  await assert.rejects(first(runAttack(uneven, run)), /'mma' compares taps .* which hold 9 and 8 values/);
});
