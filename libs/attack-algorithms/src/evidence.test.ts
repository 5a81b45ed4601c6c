import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import { type ExampleEvidence, PATH_POINTS, pathSteps } from './evidence.ts';
import { runAttack } from './run-attack.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';

const CLIPS = 3;
const STEPS = 12;
const linear = await LinearVictim.create(4);
const inputs = linear.clips(CLIPS, 0.2, 6, true);
after(() => linear[Symbol.asyncDispose]());

const BASE: RunOptions = {
  inputs,
  labels: Array.from({ length: CLIPS }, (_, clip) => {
    const margins = linear.margins(inputs, clip);
    return [margins.indexOf(Math.max(...margins))];
  }),
  labelCount: 3,
  norm: 'linf',
  budgets: new Map([
    ['waveform', 0.3],
    ['frames', 0.2],
  ]),
  rungs: [
    [0.02, 'never'],
    [0.5, 'early'],
    [1, 'never'],
  ],
  steps: STEPS,
};

async function evidenceOf(options: RunOptions, victim = linear.victim): Promise<ExampleEvidence[]> {
  const examples: ExampleEvidence[] = [];
  for await (const event of runAttack(victim, runOf(options)))
    if (event.kind === 'evidence') examples.push(...event.examples);
  return examples;
}

test('all steps of a short path are kept, of a long one the ends and the early ones', () => {
  assert.deepEqual([...pathSteps(3)], [0, 1, 2, 3]);
  const long = [...pathSteps(1000)];
  assert.ok(long.length <= PATH_POINTS && long[0] === 0 && long.at(-1) === 1000);
  const gaps = long.slice(1).map((step, index) => step - (long[index] ?? 0));
  assert.deepEqual(
    gaps,
    gaps.toSorted((a, b) => a - b),
  );
});

test('evidence agrees with what is returned and what was counted', async () => {
  const examples = await evidenceOf(BASE);
  const { rows, cost } = await collect(linear.victim, runOf(BASE));
  assert.equal(
    examples.reduce((sum, { evaluations }) => sum + evaluations, 0),
    cost?.forwardExamples,
  );
  for (const variable of BASE.budgets.keys()) {
    const counted = examples.reduce((sum, { gradients }) => sum + (gradients.get(variable)?.evaluations ?? 0), 0);
    assert.equal(counted, cost?.gradientExamples);
  }
  assert.equal(examples.length, CLIPS * BASE.rungs.length);
  for (const { clip, rung, margin } of rows) {
    const told = examples.find((one) => one.clip === clip && one.rung === rung);
    assert.equal(told?.lowestMargin, margin);
    assert.equal(told?.path.at(-1)?.best, margin);
    assert.equal(told?.reached !== undefined, margin <= -2e-4);
  }
});

test('a path is the descent of the first restart; what later restarts add is told restart by restart', async () => {
  const examples = await evidenceOf({ ...BASE, restarts: 3, rungs: [[0.3, 'never']] });
  const [once] = [await evidenceOf({ ...BASE, rungs: [[0.3, 'never']] })];
  for (const [index, { path, bestByRestart, evaluations, lowestMargin, rises }] of examples.entries()) {
    assert.deepEqual(path, once[index]?.path);
    assert.equal(path.length, STEPS + 1);
    assert.equal(evaluations, 3 * (STEPS + 1));
    assert.deepEqual(
      bestByRestart,
      bestByRestart.toSorted((a, b) => b - a),
    );
    assert.deepEqual([bestByRestart.length, bestByRestart[2]], [3, lowestMargin]);
    const rising = path.filter(({ margin }, step) => margin > (path[step - 1]?.margin ?? Number.POSITIVE_INFINITY));
    assert.ok(rises >= rising.length && rises < 3 * STEPS);
  }
});

test('members of an ensemble are told apart', async () => {
  const examples = await evidenceOf({ ...BASE, attack: 'ensemble', parameters: { queries: 40 } });
  const members = new Set(examples.filter(({ rung }) => rung === 0).map(({ member }) => member));
  assert.deepEqual([...members], [0, 1, 2, 3]);
  const square = examples.filter(({ member }) => member === 3);
  assert.ok(square.every(({ gradients }) => gradients.size === 0));
});

test('searches tell their smallest scale so far', async () => {
  for (const attack of ['fmn', 'pgd', 'hop_skip_jump']) {
    const norm = 'l2';
    const budgets = new Map([['waveform', 3]]);
    const few = { parameters: { queries: 1_000 } };
    const told = attack === 'hop_skip_jump' ? few : {};
    const options: RunOptions = { ...BASE, norm, budgets, attack, steps: 30, rungs: [], ...told };
    const examples = await evidenceOf(options);
    const reached: (number | undefined)[] = [];
    for await (const event of runAttack(linear.victim, runOf(options))) {
      if (event.kind === 'search') reached.push(...event.result.intervals.map(({ reachedScale }) => reachedScale));
    }
    assert.deepEqual(
      examples.map(({ clip, rung }) => [clip, rung]),
      Array.from({ length: CLIPS }, (_, clip) => [clip, undefined]),
    );
    for (const [index, { path, reached: first, lowestMargin }] of examples.entries()) {
      const best = path.map((point) => point.best);
      assert.deepEqual(
        best,
        best.toSorted((a, b) => b - a),
        attack,
      );
      const scale = reached[index] ?? Number.POSITIVE_INFINITY;
      assert.deepEqual([first !== undefined, lowestMargin < 0], [scale < 1e9, scale < 1e9], attack);
      assert.ok(scale === best.at(-1) || Math.abs((best.at(-1) ?? 0) / scale - 1) < 1e-3, `${attack}: ${best.at(-1)}`);
    }
  }
});

test('gradients that are zero everywhere are counted, of each variable', async () => {
  const [samples, pixels] = [20, 2 * 3 * 2 * 2];
  const { model, card } = linearVictim({
    waveform: new Float32Array(samples),
    frames: new Float32Array(pixels).fill(1e-30),
    bias: Float32Array.of(1),
    frameDims: [2, 2, 2],
  });
  await using victim = await LocalVictim.load({ model, card });
  const [only, ...others] = await evidenceOf(
    {
      ...BASE,
      inputs: new Map([
        ['waveform', { dims: [1, samples], data: new Float32Array(samples) }],
        ['frames', { dims: [1, 2, 3, 2, 2], data: new Uint8Array(pixels) }],
      ]),
      labels: [[0]],
      labelCount: 1,
      rungs: [[1, 'never']],
    },
    victim,
  );
  assert.equal(others.length, 0);
  assert.deepEqual(only?.gradients.get('waveform'), { evaluations: STEPS, zeros: STEPS, largest: 0 });
  const { zeros, largest = 0 } = only?.gradients.get('frames') ?? {};
  assert.ok(zeros === 0 && Math.abs(largest / (pixels * 1e-30) - 1) < 1e-5);
  assert.deepEqual([only?.rises, only?.reached, only?.lowestMargin], [0, undefined, 1]);
});
