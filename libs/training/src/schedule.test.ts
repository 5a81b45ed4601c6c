import assert from 'node:assert/strict';
import { test } from 'node:test';
import { learningRateAt } from './schedule.ts';

const options = { peak: 0.1, warmUpSteps: 10, steps: 110 };

test('the rate climbs to its peak, passes half of it midway, and ends near zero', () => {
  for (const decay of ['cosine', 'linear'] as const) {
    const at = (step: number) => learningRateAt(step, { ...options, decay });
    assert.equal(at(0), 0.01);
    assert.equal(at(9), 0.1);
    assert.equal(at(10), 0.1);
    assert.ok(Math.abs(at(60) - 0.05) < 1e-12);
    assert.ok(at(109) <= 1e-3 + 1e-12);
    assert.equal(at(500), 0);
  }
  assert.ok(learningRateAt(35, { ...options, decay: 'cosine' }) > learningRateAt(35, { ...options, decay: 'linear' }));
});
