import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inference, victim } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { VictimDescription } from '@faultline/victim';
import { requireGradient } from './require-gradient.ts';

const { GRADIENT_VERDICT_WHITE_BOX, GRADIENT_VERDICT_BLACK_BOX } = inference.GradientVerdict;
const description: VictimDescription = {
  card: victim.Card.fromPartial({ name: 'foreign' }),
  protocolVersion: 2,
  optimizeSlots: 1,
  maxExamples: 1,
  runtime: 'test',
  threads: 1,
  optimizeBytes: 0,
  taps: [],
  gradient: {
    verdict: GRADIENT_VERDICT_BLACK_BOX,
    variables: [
      { variable: 'waveform', verdict: GRADIENT_VERDICT_WHITE_BOX, reason: '' },
      { variable: 'frames', verdict: GRADIENT_VERDICT_BLACK_BOX, reason: 'Det: the operator has no rule' },
    ],
    estimatedOperators: [],
  },
};

test('gradients that a victim has not are refused with the variable and the operator in the way', () => {
  requireGradient(description, ['waveform']);
  assert.throws(
    () => requireGradient(description, ['waveform', 'frames']),
    (error) =>
      error instanceof FaultlineError &&
      error.code === 'failed_precondition' &&
      /'frames' \(Det: the operator has no rule\)/.test(error.message),
  );
});
