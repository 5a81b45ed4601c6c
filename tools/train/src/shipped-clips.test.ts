import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { LABELS } from '@faultline/dataset';
import { VICTIM_SPECS } from '@faultline/fusion';
import { loadShippedClips } from './shipped-clips.ts';

const CLIPS = join(import.meta.dirname, '../../../zoo/clips');

test('shipped clips load as a victim takes them, each with a label', async () => {
  const { waveform, frames } = VICTIM_SPECS.late;
  const { batches, targets, labels } = await loadShippedClips(CLIPS, 'seen', VICTIM_SPECS.late);
  assert.deepEqual(labels, LABELS);
  assert.equal(targets.length, batches.length * labels.length);
  assert.ok(batches.length > 0);
  for (const [clip, batch] of batches.entries()) {
    assert.equal(batch.start, clip);
    assert.equal(batch.inputs.waveform?.length, waveform.samples);
    assert.equal(batch.inputs.frames?.length, frames.frames * 3 * frames.height * frames.width);
    assert.ok(targets.subarray(clip * labels.length, (clip + 1) * labels.length).includes(1));
  }
});

test('a folder that is no clip set is an error', async () => {
  await assert.rejects(loadShippedClips(import.meta.dirname, 'seen', VICTIM_SPECS.late), /manifest\.json/);
});
