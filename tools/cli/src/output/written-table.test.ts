import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClipScoreJson } from '../scores/clip-scores.ts';
import type { WrittenExampleJson } from '../scores/written-examples.ts';
import { writtenTable } from './written-table.ts';

const SURVIVED: WrittenExampleJson = {
  form: 'h264:60k,aac:24k',
  scale: 2,
  outcome: 'survived',
  margin: -1.82,
  cleanMargin: 7.58,
  variables: [
    {
      variable: 'frames',
      epsilon: 0.01,
      step: 1 / 255,
      kept: 0.9,
      writtenNorm: 2 / 255,
      decodedNorm: 0.0314,
      decibels: 44.2,
      formDecibels: null,
    },
  ],
  bytes: 28_536,
  bitRate: 114_144,
  container: 'mp4',
};

const VANISHED: WrittenExampleJson = {
  ...SURVIVED,
  scale: 0.5,
  outcome: 'vanished',
  margin: null,
  variables: [
    {
      variable: 'frames',
      epsilon: 0.0025,
      step: 1 / 255,
      kept: 0,
      writtenNorm: 0,
      decodedNorm: null,
      decibels: null,
      formDecibels: 37.4,
    },
  ],
  bytes: 0,
  bitRate: 0,
  container: '',
};

function scoreOf(...written: WrittenExampleJson[]): ClipScoreJson {
  return {
    victim: 'late',
    clip: 'seen-001',
    state: 'finished',
    reason: '',
    labels: ['drum'],
    labelSource: 'clip set',
    cleanMargin: 8.05,
    criticalScale: 0.5,
    triedWithout: 0,
    limit: 2,
    adversarialMargin: -0.1,
    heldOutShare: null,
    domain: 'signal',
    perturbations: [],
    attack: 'pgd',
    turnedOff: [],
    turnedOn: [],
    evidence: [],
    written,
    assessment: null,
  };
}

test('a line a file, with budgets in the unit of the one variable; what vanishes is told in words', () => {
  const lines = writtenTable([scoreOf(VANISHED, SURVIVED)], { frames: 0.005 });
  const cells = lines.slice(1, 3).map((line) => line.split(/ {2,}/));
  const place = ['seen-001', 'late', 'h264:60k,aac:24k'];
  assert.deepEqual(cells, [
    [...place, '0.0025', 'vanished', '-', '+7.58', '-', '-', '0', '-', '37.4'],
    [...place, '0.01', 'survived', '-1.82', '+7.58', '28.5 kB', '114.1', '0.0314', '44.2', '-'],
  ]);
  assert.deepEqual(
    lines.filter((line) => line.startsWith('vanishing')),
    ['vanishing: a budget of 0.0025 for frames is below one step of a file, 0.00392 (1/255)'],
  );
});

test('nothing found, nothing written', () => {
  assert.deepEqual(writtenTable([scoreOf()], { frames: 0.005 }), [
    'no adversarial example was found that could be written',
  ]);
});
