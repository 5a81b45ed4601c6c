import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADVERSARY_DEFAULTS } from './adversary.ts';
import { SPEC_AUGMENT_DEFAULTS } from './spec-augment.ts';
import { TOY_SPEC, toyBatch } from './testing/toy-set.ts';
import { Trainer, type Treatments } from './trainer.ts';

const STEPS = 12;
const LEARNING_RATE = 0.02;

async function train(seed: number, treatments: Treatments = {}) {
  await using trainer = await Trainer.create({ spec: TOY_SPEC, seed, ...treatments });
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) losses.push((await trainer.step(toyBatch(step), LEARNING_RATE)).loss);
  return { losses, weights: trainer.weights() };
}

test('training lowers the loss, and a seed gives the same weights bit for bit', async () => {
  const [first, second, other] = [await train(1), await train(1), await train(2)];
  assert.ok((first.losses.at(-1) ?? Number.NaN) < 0.5 * (first.losses[0] ?? 0), first.losses.join(' '));
  assert.deepEqual(first.losses, second.losses);
  assert.deepEqual(first.weights, second.weights);
  assert.notDeepEqual(first.weights.get('head.weight'), other.weights.get('head.weight'));
});

const budgets = { waveform: 0.01, frames: 0.03 };
const TREATMENTS: Readonly<Record<string, Treatments>> = {
  SpecAugment: { specAugment: SPEC_AUGMENT_DEFAULTS },
  mixup: { mixup: 0.2 },
  'adversarial training': { adversary: { ...ADVERSARY_DEFAULTS, budgets } },
  'gradient penalty': { gradientPenalty: { weight: 1, budgets } },
  'orthogonal heads': { orthogonalHeads: { orthogonality: 1, margin: 0.2 } },
  'all together': {
    specAugment: SPEC_AUGMENT_DEFAULTS,
    mixup: 0.2,
    adversary: { ...ADVERSARY_DEFAULTS, steps: 1, budgets },
    gradientPenalty: { weight: 1, budgets },
    orthogonalHeads: { orthogonality: 1, margin: 0.2 },
  },
};

for (const [name, treatments] of Object.entries(TREATMENTS)) {
  test(`${name}: the loss falls, the weights differ from plain ones and repeat bit for bit`, async () => {
    const [first, second, plain] = [await train(1, treatments), await train(1, treatments), await train(1)];
    assert.ok((first.losses.at(-1) ?? Number.NaN) < 0.8 * (first.losses[0] ?? 0), first.losses.join(' '));
    assert.deepEqual(first.weights, second.weights);
    assert.notDeepEqual(first.weights.get('head.weight'), plain.weights.get('head.weight'));
  });
}

test('a restored trainer continues bit for bit; a state of another victim is refused', async () => {
  await using trainer = await Trainer.create({ spec: TOY_SPEC, seed: 1, mixup: 0.2 });
  await trainer.step(toyBatch(0), LEARNING_RATE);
  const state = trainer.state();
  await trainer.step(toyBatch(1), LEARNING_RATE);
  await using other = await Trainer.create({ spec: TOY_SPEC, seed: 1, mixup: 0.2 });
  other.restore(state);
  await other.step(toyBatch(1), LEARNING_RATE);
  assert.deepEqual(other.weights(), trainer.weights());
  assert.equal(other.steps, 2);
  assert.throws(() => other.restore({ steps: 1, tensors: new Map() }), /does not fit this victim/);
});

test('first weights take the place of drawn ones, running statistics too; what is not given is drawn', async () => {
  const { weights } = await train(1);
  const first = new Map([...weights].filter(([name]) => name.startsWith('audio.')));
  await using trainer = await Trainer.create({ spec: TOY_SPEC, seed: 2, first });
  await using drawn = await Trainer.create({ spec: TOY_SPEC, seed: 2 });
  assert.ok(first.size > 0 && [...first.keys()].some((name) => name.endsWith('.variance')));
  for (const [name, tensor] of trainer.weights()) {
    assert.deepEqual(tensor.data, (first.get(name) ?? drawn.weights().get(name))?.data, name);
  }
});

test('treatments out of range are errors that say what to give', async () => {
  const refused = (treatments: Treatments, message: RegExp) =>
    assert.rejects(Trainer.create({ spec: TOY_SPEC, seed: 1, ...treatments }), message);
  await refused({ adversary: { budgets, steps: 0, share: 1 } }, /adversarial steps are 0; give at least 1/);
  await refused({ adversary: { budgets, steps: 1, share: 2 } }, /share is 2/);
  await refused({ gradientPenalty: { weight: 1, budgets: { waveform: 0, frames: 0 } } }, /no input .* budget above 0/);
  await refused({ gradientPenalty: { weight: 1, budgets: { waveform: -1, frames: 0 } } }, /waveform is -1/);
});
