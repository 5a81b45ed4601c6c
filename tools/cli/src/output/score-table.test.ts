import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClipScoreJson } from '../scores/clip-scores.ts';
import { scoreTable } from './score-table.ts';

const FOUND: ClipScoreJson = {
  victim: 'late',
  clip: 'seen-001',
  state: 'finished',
  reason: '',
  labels: ['drum'],
  labelSource: 'clip set',
  cleanMargin: 8.05,
  criticalScale: 4,
  triedWithout: 2,
  limit: 16,
  adversarialMargin: -0.1,
  heldOutShare: null,
  domain: 'signal',
  perturbations: [
    {
      variable: 'waveform',
      epsilon: 0.0032,
      norm: 0.0032,
      rootMeanSquare: 0.001,
      decibels: 30.6,
      loudness: null,
      cleanLoudness: null,
    },
  ],
  attack: 'pgd',
  turnedOff: [],
  turnedOn: [],
  evidence: [],
  written: [],
  assessment: { verdict: 'sound', reason: '', remedy: '', findings: [] },
};

const cells = (scores: ClipScoreJson[], rhos: Record<string, number>) =>
  scoreTable(scores, rhos)
    .slice(1, 1 + scores.length)
    .map((line) => line.split(/ {2,}/));

test('budgets of one variable are epsilons; past the ladder, cut short and not begun are said', () => {
  const none = { ...FOUND, criticalScale: null, adversarialMargin: null, perturbations: [] };
  const rows = cells(
    [
      FOUND,
      { ...none, labelSource: 'prediction', triedWithout: 16 },
      { ...FOUND, state: 'cut short' },
      { ...none, state: 'cut short', triedWithout: 0 },
      { ...none, state: 'not started', cleanMargin: null, triedWithout: 0 },
    ],
    { waveform: 0.0008 },
  );
  assert.deepEqual(rows, [
    ['seen-001', 'late', 'drum', '+8.05', '0.0032', '0.0016', '0.0032', '30.6'],
    ['seen-001', 'late', 'drum*', '+8.05', '> 0.0128', '0.0128', '-', '-'],
    ['seen-001', 'late', 'drum', '+8.05', '<= 0.0032', '0.0016', '0.0032', '30.6'],
    ['seen-001', 'late', 'drum', '+8.05', '?', '-', '-', '-'],
    ['seen-001', 'late', 'drum', '-', '-', '-', '-', '-'],
  ]);
});

test('of several variables the scale is told, and what it multiplies', () => {
  const rhos = { waveform: 0.0008, frames: 0.005 };
  assert.equal(cells([FOUND], rhos)[0]?.[4], '4');
  const text = scoreTable([FOUND], rhos).join('\n');
  assert.match(text, /critical s .*waveform norm .*frames norm/);
  assert.match(text, /multiplies the budgets waveform 0\.0008, frames 0\.005/);
});

test('of attacks over shifts the share of held-out ones is told, of others nothing', () => {
  const found = { ...FOUND, heldOutShare: 0.8125 };
  const lines = scoreTable([found, FOUND], { waveform: 0.0008 });
  assert.match(lines[0] ?? '', /tried without +held-out +waveform norm/);
  assert.match(lines[1] ?? '', / 81 % /);
  assert.match(lines[2] ?? '', /0\.0016 +- +0\.0032/);
  assert.ok(lines.some((line) => line.startsWith('held-out: ')));
  assert.doesNotMatch(scoreTable([FOUND], { waveform: 0.0008 }).join('\n'), /held-out/);
});

test('a withheld score has no figure; one from a remedy says so, and why, once', () => {
  const reason = 'the gradient is 0';
  const withheld = {
    ...FOUND,
    criticalScale: null,
    assessment: { verdict: 'withheld', reason, remedy: '', findings: [] },
  } as const;
  const remedied = {
    ...FOUND,
    assessment: { ...withheld.assessment, verdict: 'remedied', remedy: 'boundary walk' },
  } as const;
  const lines = scoreTable([withheld, remedied, remedied], { waveform: 0.0008 });
  assert.match(lines[1] ?? '', / withheld /);
  assert.match(lines[2] ?? '', / 0\.0032\+ /);
  assert.equal(lines.filter((line) => line === '+ late: the gradient is 0').length, 1);
});
