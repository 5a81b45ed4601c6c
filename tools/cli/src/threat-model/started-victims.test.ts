import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startedVictims } from './started-victims.ts';

test('victims that craft are started beside those that are named; where nobody is, all are', () => {
  assert.deepEqual(startedVictims(['late'], ['', 'early', 'late', 'early']), ['late', 'early']);
  assert.deepEqual(startedVictims([], ['early']), []);
});
