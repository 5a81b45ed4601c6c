import assert from 'node:assert/strict';
import { test } from 'node:test';
import { score } from '@faultline/contracts';
import { parseWriteForm } from '@faultline/media/write-back';
import { writeBackReports } from './write-back-report.ts';

const { WRITE_BACK_OUTCOME_SURVIVED, WRITE_BACK_OUTCOME_VANISHED } = score.WriteBackOutcome;
const STEP = 1 / 255;

const example = (form: string, outcome: score.WriteBackOutcome, epsilon: number) => {
  const hasVanished = outcome === WRITE_BACK_OUTCOME_VANISHED;
  return score.WrittenExample.fromPartial({
    form,
    outcome,
    variables: [{ variable: 'frames', epsilon, step: STEP, kept: hasVanished ? 0 : 0.5 }],
    bytes: hasVanished ? 0 : 1000,
    bitRate: hasVanished ? 0 : 8000,
  });
};

test('examples are counted by form; budgets below one step of a file are told', () => {
  const forms = ['lossless', 'aac:24k'].map(parseWriteForm);
  const written = new Map([
    [
      0,
      [
        example('lossless', WRITE_BACK_OUTCOME_VANISHED, STEP / 2),
        example('aac:24k', WRITE_BACK_OUTCOME_VANISHED, STEP / 2),
      ],
    ],
    [2, [example('lossless', WRITE_BACK_OUTCOME_SURVIVED, 2 * STEP)]],
  ]);
  const [lossless, coded] = writeBackReports(forms, written, 3);
  assert.deepEqual(lossless, {
    form: 'lossless',
    written: 2,
    survived: 1,
    lost: 0,
    vanished: 1,
    formAlone: 0,
    medianBitRate: 8000,
    variables: [{ variable: 'frames', step: STEP, belowStep: 1, medianKept: 0, medianDecibels: null }],
    outcomes: ['vanished', null, 'survived'],
  });
  assert.deepEqual([coded?.written, coded?.vanished, coded?.medianBitRate], [1, 1, null]);
});
