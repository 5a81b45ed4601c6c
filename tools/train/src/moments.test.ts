import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildVictim, VICTIM_SPECS } from '@faultline/fusion';
import { momentCount, momentSpec, momentsIn } from './moments.ts';

for (const spec of Object.values(VICTIM_SPECS)) {
  test(`a ${spec.fusion} victim on one moment has the parameters of the whole`, () => {
    const moment = momentSpec(spec);
    assert.equal(momentCount(moment), 1);
    assert.deepEqual(buildVictim(moment).parameters, buildVictim(spec).parameters);
  });
}

test('the moments of a clip have its labels and share its memory', () => {
  const batch = {
    start: 6,
    size: 2,
    inputs: { waveform: Float32Array.from({ length: 16 }, (_, at) => at), frames: new Uint8Array(8) },
    audioTargets: Float32Array.of(1, 0, 0, 1),
    visualTargets: Float32Array.of(0, 0, 1, 1),
  };
  const moments = momentsIn(batch, 4);
  assert.equal(moments.start, 24);
  assert.equal(moments.size, 8);
  assert.equal(moments.inputs, batch.inputs);
  assert.deepEqual([...moments.audioTargets], [1, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1, 0, 1]);
  assert.deepEqual([...moments.visualTargets], [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]);
});
