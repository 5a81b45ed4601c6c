import assert from 'node:assert/strict';
import { test } from 'node:test';
import { markdownOf, normRatio, robustExcess, speedRatios, summarise } from './report.ts';

const robust = [
  { attack: 'pgd', ours: true, robust: [0.9, 0.5] },
  { attack: 'apgd', ours: true, robust: [0.8, 0.6] },
  { attack: 'foolbox pgd', ours: false, robust: [0.9, 0.4] },
  { attack: 'art apgd', ours: false, robust: [0.85, 0.7] },
];

test('the excess is that of the best of ours over the best of theirs, at the worst budget', () => {
  assert.ok(Math.abs(robustExcess(robust) - 0.1) < 1e-12);
});

test('sizes are compared by the best median of each side; what was not found is infinite', () => {
  const rows = [
    { attack: 'fmn', ours: true, median: 2, found: 4 },
    { attack: 'ddn', ours: true, median: Number.POSITIVE_INFINITY, found: 1 },
    { attack: 'foolbox fmn', ours: false, median: 4, found: 4 },
  ];
  assert.equal(normRatio(rows), 0.5);
});

test('paces are compared attack by attack, by processor time', () => {
  const rows = [
    { attack: 'pgd', ours: true, clipStepsPerSecond: 30, clipStepsPerProcessorSecond: 300 },
    { attack: 'apgd', ours: true, clipStepsPerSecond: 90, clipStepsPerProcessorSecond: 200 },
    { attack: 'art pgd', ours: false, clipStepsPerSecond: 70, clipStepsPerProcessorSecond: 100 },
    { attack: 'art apgd', ours: false, clipStepsPerSecond: 10, clipStepsPerProcessorSecond: 50 },
  ];
  const slower = {
    attack: 'art pgd with weights',
    ours: false,
    clipStepsPerSecond: 7,
    clipStepsPerProcessorSecond: 60,
  };
  assert.deepEqual(speedRatios([...rows, slower], 'art'), [3, 4]);
  assert.deepEqual(speedRatios([...rows, slower], 'art', true), [5]);
  assert.deepEqual(speedRatios(rows, 'foolbox'), []);
});

test('a target that is missed is said to be', () => {
  const { targets, lines } = summarise([
    {
      victim: 'late',
      clips: 4,
      logitDifference: 0,
      speed: [],
      robust: [{ problem: 'p', epsilons: [1, 2], rows: robust }],
      norms: [],
    },
  ]);
  const missed = targets.filter(({ reached }) => !reached).map(({ title }) => title);
  assert.deepEqual(missed, ["late: robust accuracy above the best library's, p, at most 0.01"]);
  assert.ok(lines.some((line) => line.startsWith('NO  0.100')));
});

test('the README gets the best of each side', () => {
  const reports = [
    {
      victim: 'late',
      clips: 4,
      logitDifference: 3e-7,
      speed: [],
      robust: [{ problem: 'p', epsilons: [1, 2], rows: robust }],
      norms: [
        {
          problem: 'q',
          rows: [
            { attack: 'fmn', ours: true, median: 2, found: 4 },
            { attack: 'foolbox fmn', ours: false, median: 4, found: 3 },
          ],
        },
      ],
    },
  ];
  const lines = markdownOf(reports, { steps: 20, searchSteps: 100, threads: 1 }).split('\n');
  const cells = (start: string) =>
    lines
      .find((line) => line.startsWith(start))
      ?.split('|')
      .map((text) => text.trim());
  assert.deepEqual(cells('| late   | p '), ['', 'late', 'p', '1 2', '80 50', '85 40', '10.0 points', '']);
  assert.deepEqual(cells('| late   | q '), [
    '',
    'late',
    'q',
    '2.000 (fmn, 4 found)',
    '4.000 (foolbox fmn, 3 found)',
    '0.500',
    '',
  ]);
});
