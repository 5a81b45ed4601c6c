import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answers } from './answers.ts';
import { askThresholds } from './thresholds.ts';

const LABELS = ['cat', 'dog: small', 'bird'];

const ask = (given: readonly string[], meaning: 'probability' | 'number' = 'probability') =>
  askThresholds(new Answers({ given, defaults: 'asked' }), LABELS, meaning, true);

test('where nobody says anything a label is active from p = 0.5 on', async () => {
  assert.deepEqual(await ask([]), { values: [0, 0, 0], told: 'probability 0.5 for every label' });
});

test('one threshold for all, and others for single labels', async () => {
  const { values, told } = await ask(['threshold=0.2,dog: small:0.9']);
  assert.deepEqual(
    values.map((value) => 1 / (1 + Math.exp(-value))).map((p) => Number(p.toFixed(12))),
    [0.2, 0.9, 0.2],
  );
  assert.equal(told, 'probability 0.2, 1 of 3 labels have a threshold of their own');
});

test('raw scores have thresholds of their own scale', async () => {
  assert.deepEqual((await ask(['threshold=-3,bird:7.5'], 'number')).values, [-3, -3, 7.5]);
});

test('what cannot be a threshold is refused', async () => {
  await assert.rejects(ask(['threshold=1.5']), /threshold=1.5: give a probability between 0 and 1/);
  await assert.rejects(ask(['threshold=cat:']), /threshold=cat:: give a probability/);
  await assert.rejects(ask(['threshold=cow:0.5']), /no such label; there are cat, dog: small, bird/);
});
