import assert from 'node:assert/strict';
import { test } from 'node:test';
import { targetsFor } from './branch-targets.ts';

test('a branch is trained on what it can know, a fusion on all', () => {
  const batch = {
    size: 1,
    inputs: {},
    targets: Float32Array.of(1, 1, 0),
    audioTargets: Float32Array.of(1, 0, 0),
    visualTargets: Float32Array.of(0, 1, 0),
  };
  assert.equal(targetsFor('audio', batch), batch.audioTargets);
  assert.equal(targetsFor('visual', batch), batch.visualTargets);
  for (const fusion of ['early', 'mid', 'late', 'decision'] as const) {
    assert.equal(targetsFor(fusion, batch), batch.targets);
  }
});
