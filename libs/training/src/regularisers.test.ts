import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differentiate } from '@faultline/autodiff';
import { buildVictim } from '@faultline/fusion';
import { float32, type Graph, modelOf, type Tensor } from '@faultline/onnx';
import { dryRun, float32Data, type OrtTensor, Session, toOrt } from '@faultline/ort';
import { Adversary } from './adversary.ts';
import { withGradientPenalty } from './gradient-penalty.ts';
import { initialise } from './initialise.ts';
import { CLIP_LOSS, withLoss } from './loss.ts';
import { withOrthogonalHeads } from './orthogonal-heads.ts';
import { TOY_SPEC, toyBatch } from './testing/toy-set.ts';
import type { TrainingBatch } from './training-batch.ts';

const victim = buildVictim(TOY_SPEC);
const plain = withLoss(victim);
const budgets = { waveform: 0.01, frames: 0.02 };

function inputOf(batch: TrainingBatch, name: string): Float32Array {
  const values = batch.inputs[name];
  assert.ok(values, name);
  return values;
}

/** A point away from zero biases, so that no Relu sits on its kink. */
function feedsAt(): Record<string, OrtTensor> {
  const batch = toyBatch(0);
  const rows = (values: Float32Array, ...dims: number[]) => toOrt(float32(values, [batch.size, ...dims]));
  return {
    ...Object.fromEntries(Array.from(initialise(victim.parameters, 4), ([name, tensor]) => [name, toOrt(tensor)])),
    ...Object.fromEntries(victim.inputs.map(({ name, dims }) => [name, rows(inputOf(batch, name), ...dims)])),
    targets: rows(batch.targets, 2),
    'audio.logits.targets': rows(batch.audioTargets, 2),
    'video.logits.targets': rows(batch.visualTargets, 2),
  };
}

const scalar = (results: Record<string, OrtTensor>, name: string): number => {
  const value = results[name];
  assert.ok(value);
  return float32Data(value)[0] ?? Number.NaN;
};

/** Derivative of a graph's output along the gradient of a parameter, by the graph and by a central difference. */
async function alongGradient(graph: Graph, output: string, parameter: string, step: number) {
  const gradient = differentiate({ graph, types: await dryRun(graph), output, wrt: [parameter] });
  await using session = await Session.create(modelOf(gradient));
  const taken = new Set(session.inputNames);
  const feeds = Object.fromEntries(Object.entries(feedsAt()).filter(([name]) => taken.has(name)));
  const results = await session.run(feeds);
  const found = results[`grad/${parameter}`];
  const weight = feeds[parameter];
  assert.ok(found && weight);
  const slope = float32Data(found);
  const norm = Math.hypot(...slope);
  const moved = async (by: number) => {
    const values = float32Data(weight).map((value, index) => value + (by * (slope[index] ?? 0)) / norm);
    const tensor: Tensor = float32(values, weight.dims);
    return scalar(await session.run({ ...feeds, [parameter]: toOrt(tensor) }), output);
  };
  return {
    norm,
    difference: ((await moved(step)) - (await moved(-step))) / (2 * step),
    value: scalar(results, output),
  };
}

function assertAgrees({ norm, difference }: { readonly norm: number; readonly difference: number }): void {
  assert.ok(norm > 1e-4, `${norm}`);
  assert.ok(Math.abs(norm - difference) < 0.03 * norm, `gradient ${norm}, differences say ${difference}`);
}

test('the gradient of the gradient penalty agrees with differences, through both branches and the head', async () => {
  const graph = await withGradientPenalty(plain, { weight: 3, budgets });
  for (const parameter of ['head.weight', 'audio.head.embed.weight', 'video.head.embed.weight', 'audio.1.scale']) {
    assertAgrees(await alongGradient(graph, 'loss/gradient-penalty', parameter, 2e-3));
  }
});

test('the gradient penalty is the squared growth of the loss that the input gradient tells', async () => {
  const graph = await withGradientPenalty(plain, { weight: 1, budgets });
  const input = differentiate({
    graph: plain,
    types: await dryRun(plain),
    output: CLIP_LOSS,
    wrt: ['waveform', 'frames'],
  });
  await using session = await Session.create(modelOf(input));
  const results = await session.run(feedsAt());
  const growth = (name: 'waveform' | 'frames') => {
    const gradient = results[`grad/${name}`];
    assert.ok(gradient);
    const values = float32Data(gradient);
    const each = values.length / 8;
    return budgets[name] ** 2 * each * values.reduce((sum, value) => sum + value * value, 0);
  };
  const wanted = (growth('waveform') + growth('frames')) / 8;
  const { value } = await alongGradient(graph, 'loss/gradient-penalty', 'head.weight', 1e-3);
  assert.ok(Math.abs(value - wanted) < 1e-4 * wanted, `${value} ${wanted}`);
});

test('the gradients of orthogonality and margin agree with differences', async () => {
  const graph = withOrthogonalHeads(plain, victim, { orthogonality: 1, margin: 1 });
  for (const branch of ['audio', 'video']) {
    assertAgrees(await alongGradient(graph, 'loss/orthogonality', `${branch}.head.weight`, 1e-3));
    assertAgrees(await alongGradient(graph, 'loss/margin', `${branch}.head.weight`, 1e-3));
    assertAgrees(await alongGradient(graph, 'loss/margin', `${branch}.head.embed.weight`, 1e-3));
  }
});

test('a victim without two branch heads cannot have orthogonal ones', () => {
  const lone = { ...victim, auxiliaryLogits: ['audio.logits'] };
  assert.throws(() => withOrthogonalHeads(plain, lone, { orthogonality: 1, margin: 1 }), /two branches/);
});

test('the adversary raises the loss, within the budgets and ranges, and leaves the clean share alone', async () => {
  const feeds = feedsAt();
  await using adversary = await Adversary.create(plain, { budgets, steps: 4, share: 0.5 });
  const attacked = await adversary.attack(feeds, { seed: 1, step: 0, size: 8 });
  await using session = await Session.create(modelOf(plain));
  const clips = async (inputs: Record<string, OrtTensor>) => scalar(await session.run(inputs), 'loss');
  assert.ok((await clips({ ...feeds, ...attacked })) > (await clips(feeds)) + 1e-3);
  for (const name of ['waveform', 'frames'] as const) {
    const [clean, moved] = [feeds[name], attacked[name]];
    assert.ok(clean && moved);
    const [from, to] = [float32Data(clean), float32Data(moved)];
    const distances = from.map((value, index) => Math.abs((to[index] ?? Number.NaN) - value));
    const largest = Math.max(...distances);
    assert.ok(largest <= budgets[name] * (1 + 1e-3) && largest > 0.9 * budgets[name], `${name} ${largest}`);
    assert.ok(distances.subarray(distances.length / 2).every((distance) => distance === 0));
    assert.ok(to.every((value) => value <= 1 && value >= (name === 'frames' ? 0 : -1)));
  }
});
