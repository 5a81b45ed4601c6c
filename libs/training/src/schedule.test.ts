import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cosineSchedule } from './schedule.ts';

const options = { peak: 0.1, warmUpSteps: 10, steps: 110 };

test('the rate climbs to its peak, passes half of it midway, and ends near zero', () => {
  assert.equal(cosineSchedule(0, options), 0.01);
  assert.equal(cosineSchedule(9, options), 0.1);
  assert.equal(cosineSchedule(10, options), 0.1);
  assert.ok(Math.abs(cosineSchedule(60, options) - 0.05) < 1e-12);
  assert.ok(cosineSchedule(109, options) < 1e-4);
  assert.equal(cosineSchedule(500, options), 0);
});
