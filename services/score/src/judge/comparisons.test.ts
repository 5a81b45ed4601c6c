import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AssessmentReport } from '@faultline/report';
import { type ComparedVictim, compareVictims, uncomparedResults } from './comparisons.ts';

const CLIPS = 30;
const groups = Array.from({ length: CLIPS }, (_, clip) => [`source ${clip}`]);

const LADDER = [1, 4, 8].map((scale) => ({ scale }));
const NO_COST = { forwardExamples: 0, gradientExamples: 0 };
const SOUND: AssessmentReport = { verdict: 'sound', reason: '', remedy: null, findings: [], cost: NO_COST };

function victim(name: string, critical: (clip: number) => number | null, assessment = SOUND): ComparedVictim {
  const criticals = groups.map((_, clip) => ({ triedWithout: 0, critical: critical(clip), attack: null }));
  return { name, threatModels: [{ threatModel: 'linf', limit: 8, criticals, assessment, ladder: LADDER }] };
}

test('every pair is compared, by the robustness score, and corrected for all of them', () => {
  const victims = [
    victim('strong', (clip) => (clip % 5 === 0 ? null : 6)),
    victim('weak', (clip) => 1 + (clip % 3)),
    victim('other', (clip) => (clip % 5 === 0 ? 16 : 6)),
  ];
  const found = compareVictims(victims, ['linf', 'not measured'], groups, 1);
  assert.deepEqual(
    found.map(({ first, second }) => [first, second]),
    [
      ['strong', 'weak'],
      ['strong', 'other'],
      ['weak', 'other'],
    ],
  );
  const [clear, equal, mirrored] = found;
  assert.ok(clear !== undefined && equal !== undefined && mirrored !== undefined);
  assert.ok(Math.abs(clear.difference - (6 * 0.8 + 8 * 0.2 - 2) / 8) < 1e-12);
  assert.ok(clear.interval.low > 0 && clear.pHolm < 0.05);
  assert.equal(clear.pHolm, 3 * clear.pValue, 'the smallest of three');
  // Beyond the ladder is beyond the ladder: scores are cut at its end.
  assert.deepEqual([equal.difference, equal.pValue, equal.pHolm], [0, 1, 1]);
  assert.ok(mirrored.difference < 0);
});

test('one victim has nothing to be compared with; one group proves nothing', () => {
  const [strong, weak] = [victim('strong', () => 4), victim('weak', () => 2)];
  assert.deepEqual(compareVictims([strong], ['linf'], groups, 1), []);
  const same = groups.map(() => ['one']);
  assert.deepEqual(compareVictims([strong, weak], ['linf'], same, 1), []);
});

test('a victim whose score is withheld is left out, and named', () => {
  const withheld: AssessmentReport = { ...SOUND, verdict: 'withheld', reason: 'the gradient is 0' };
  const victims = [victim('strong', () => 6), victim('masked', () => null, withheld), victim('weak', () => 2)];
  assert.deepEqual(
    compareVictims(victims, ['linf'], groups, 1).map(({ first, second }) => [first, second]),
    [['strong', 'weak']],
  );
  assert.deepEqual(uncomparedResults(victims), [
    { threatModel: 'linf', victim: 'masked', reason: 'the gradient is 0' },
  ]);
});

test('beside a remedy, which finds scales between the rungs, every scale counts as the next rung', () => {
  const remedied: AssessmentReport = {
    ...SOUND,
    verdict: 'remedied',
    reason: 'the gradient is 0',
    remedy: 'boundary walk',
  };
  const victims = [
    victim('masked', (clip) => (clip === 0 ? 0 : 2.5), remedied),
    victim('other', (clip) => (clip === 0 ? 0 : 4)),
  ];
  assert.equal(compareVictims(victims, ['linf'], groups, 1)[0]?.difference, 0);
});
