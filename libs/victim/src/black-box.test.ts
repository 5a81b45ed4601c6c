import assert from 'node:assert/strict';
import { test } from 'node:test';
import { victim } from '@faultline/contracts';
import { decisionsAsLogits, labelsOnly, type ScorePredictor } from './black-box.ts';

const card = victim.Card.fromPartial({
  logitScale: 2,
  labels: [
    { label: 'dog', threshold: 1 },
    { label: 'bird', threshold: -3 },
  ],
});
const answering = (...logits: number[]): ScorePredictor => ({
  predict: () =>
    Promise.resolve({
      logits: { dims: [logits.length / 2, 2], data: Float32Array.from(logits) },
      taps: new Map(),
      modelSha256: 'digest',
      cost: { forwardExamples: logits.length / 2, gradientExamples: 0 },
    }),
});

test('labels are active above their thresholds, as verdicts see it', async () => {
  const { active, cost, modelSha256 } = await labelsOnly(answering(1.5, -4, 0.9999, -2.9, 0.99, -3.01), card).decide(
    new Map(),
  );
  // The tolerance of verdicts is 1e-4 x the logit scale: 0.9999 is not below the threshold for good.
  assert.deepEqual([active.dims, ...active.data], [[3, 2], 1, 0, 1, 1, 0, 0]);
  assert.deepEqual([cost.forwardExamples, modelSha256], [3, 'digest']);
});

test('decisions in the form of logits say nothing but the decision', async () => {
  const told = async (...logits: number[]) => {
    const labels = labelsOnly(answering(...logits), card);
    return (await decisionsAsLogits(labels, card).predict(new Map())).logits;
  };
  const [near, far] = [await told(1.1, -3.1), await told(100, -50)];
  assert.deepEqual(near, far);
  assert.deepEqual(near, { dims: [1, 2], data: Float32Array.of(3, -5) });
});
