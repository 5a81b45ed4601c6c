import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attack, inference } from '@faultline/contracts';
import { victimUnderTest } from '../peers/victim-under-test.ts';
import { linearVictim } from '../test-support/linear-victim.ts';
import { collateralOf, goalMargin, goalReport, sameGoal } from './goal.ts';

// Labels dog, bird, horse; every threshold is 0.25.
const { card } = linearVictim('v', { waveform: 1, frames: 1 });
const victim = victimUnderTest('v', inference.DescribeResponse.fromPartial({ card, maxExamples: 8 }));
const { GOAL_KIND_DEACTIVATE_ONE, GOAL_KIND_FABRICATE_ONE, GOAL_KIND_TOP_K, GOAL_KIND_TARGETED } = attack.GoalKind;
const goal = (kind: attack.GoalKind, label = '', k = 0): attack.Goal => ({ kind, label, k });

test('margins of goals are those of the contract', () => {
  const logits = Float32Array.of(1, 0.5, -2);
  const margin = (one: attack.Goal | undefined, ...labels: string[]) => goalMargin(victim, one, logits, labels);
  assert.equal(margin(undefined, 'dog', 'bird'), 0.75);
  assert.equal(margin(goal(GOAL_KIND_DEACTIVATE_ONE), 'dog', 'bird'), 0.25, 'the easiest of the true ones');
  assert.equal(margin(goal(GOAL_KIND_DEACTIVATE_ONE, 'dog'), 'dog', 'bird'), 0.75);
  assert.equal(margin(goal(GOAL_KIND_FABRICATE_ONE), 'dog'), -0.25, 'bird is on already');
  assert.equal(margin(goal(GOAL_KIND_FABRICATE_ONE, 'horse'), 'dog'), 2.25);
  assert.equal(margin(goal(GOAL_KIND_TOP_K, '', 1), 'dog'), 0.5);
  assert.equal(margin(goal(GOAL_KIND_TOP_K, '', 2), 'dog'), 3);
  assert.equal(margin(goal(GOAL_KIND_TARGETED, 'horse'), 'dog'), 3);
  assert.throws(() => margin(goal(GOAL_KIND_TARGETED, 'cat'), 'dog'), /no label for the goal 'cat'/);
});

test('collateral changes are those of labels that the goal is not about', () => {
  const clean = Float32Array.of(1, 1, -1);
  const attacked = Float32Array.of(0, 0, 1);
  const changes = (one: attack.Goal | undefined, ...labels: string[]) =>
    collateralOf(victim, one, clean, attacked, labels);
  assert.deepEqual(changes(undefined, 'dog'), { turnedOff: ['bird'], turnedOn: ['horse'] });
  assert.deepEqual(changes(undefined, 'dog', 'bird'), { turnedOff: [], turnedOn: ['horse'] });
  assert.deepEqual(changes(goal(GOAL_KIND_FABRICATE_ONE), 'dog'), { turnedOff: ['dog', 'bird'], turnedOn: [] });
  assert.deepEqual(changes(goal(GOAL_KIND_DEACTIVATE_ONE, 'bird'), 'dog', 'bird'), {
    turnedOff: ['dog'],
    turnedOn: ['horse'],
  });
  assert.deepEqual(collateralOf(victim, undefined, clean, clean, ['dog']), { turnedOff: [], turnedOn: [] });
});

test('a goal that is not named is to deactivate all', () => {
  assert.deepEqual(goalReport(undefined), { kind: 'deactivate all', label: null, k: null });
  assert.ok(sameGoal(undefined, goal(attack.GoalKind.GOAL_KIND_DEACTIVATE_ALL)));
  assert.ok(!sameGoal(undefined, goal(GOAL_KIND_TOP_K, '', 1)));
});
