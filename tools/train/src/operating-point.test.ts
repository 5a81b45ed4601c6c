import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spreadOf, thresholdsOf } from './operating-point.ts';

test('a threshold lets one negative clip in twenty through, whatever the positive ones score', () => {
  const clips = 120;
  // Label 'a': clips 100 to 119 are positive, negatives score 0 to 99. Label 'b': the same, lower and reversed.
  const logits = new Float32Array(2 * clips);
  const targets = new Float32Array(2 * clips);
  for (let clip = 0; clip < clips; clip++) {
    const positive = clip >= 100;
    logits[2 * clip] = positive ? 1000 - clip : clip;
    logits[2 * clip + 1] = -50 - clip;
    targets[2 * clip] = positive ? 1 : 0;
    targets[2 * clip + 1] = positive ? 1 : 0;
  }
  assert.deepEqual(thresholdsOf(['a', 'b'], logits, targets), [
    { label: 'a', threshold: 94.5 },
    { label: 'b', threshold: -54.5 },
  ]);
});

test('a label without negative clips is an error that names it', () => {
  assert.throws(() => thresholdsOf(['a'], Float32Array.of(1, 2), Float32Array.of(1, 1)), /label "a" has 0 negative/);
});

test('the spread is the standard deviation', () => {
  assert.equal(spreadOf(Float32Array.of(1, 3, 1, 3)), 1);
});
