import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ExamplePool } from './example-pool.ts';

const LABELS = 3;
const SAMPLES = 40;
const PICTURE = { width: 8, height: 6 };
const FRAMES = 2;
const PIXELS = FRAMES * 3 * PICTURE.height * PICTURE.width;

/** Example i is heard and seen as label i. */
function filled(): ExamplePool {
  const pool = new ExamplePool(4, { picture: PICTURE });
  const own = Float32Array.from({ length: LABELS * LABELS }, (_, index) => (index % (LABELS + 1) === 0 ? 1 : 0));
  pool.add({
    start: 0,
    size: LABELS,
    inputs: {
      waveform: Float32Array.from({ length: LABELS * SAMPLES }, (_, index) => 0.1 * Math.sin(index)),
      frames: Uint8Array.from({ length: LABELS * PIXELS }, (_, index) => index % 256),
    },
    audioTargets: own,
    visualTargets: own,
  });
  return pool;
}

test('a batch is a function of seed and step', () => {
  assert.deepEqual(filled().draw(3, 16), filled().draw(3, 16));
  assert.notDeepEqual(filled().draw(3, 16).inputs, filled().draw(4, 16).inputs);
});

test('drawn clips keep what they are labelled with', () => {
  const size = 400;
  const batch = filled().draw(0, size);
  const { waveform, frames } = batch.inputs;
  assert.ok(waveform && frames);
  assert.ok(frames.every((value) => value >= 0 && value <= 1));
  const row = (values: Float32Array, clip: number) => {
    const each = values.length / size;
    return values.subarray(clip * each, (clip + 1) * each);
  };
  let silent = 0;
  let blank = 0;
  let repaired = 0;
  for (let clip = 0; clip < size; clip++) {
    const [targets, heard, seen] = [batch.targets, batch.audioTargets, batch.visualTargets].map((all) =>
      row(all, clip),
    );
    assert.ok(targets && heard && seen);
    const isSilent = row(waveform, clip).every((value) => value === 0);
    const isBlank = row(frames, clip).every((value) => value === 0.5);
    assert.equal(
      isSilent,
      heard.every((value) => value === 0),
    );
    assert.equal(
      isBlank,
      seen.every((value) => value === 0),
    );
    assert.ok(!(isSilent && isBlank));
    for (const label of targets.keys()) {
      // What a removed modality showed stays a target: the victim has to tell it from the other one.
      assert.ok((targets[label] ?? 0) >= Math.max(heard[label] ?? 0, seen[label] ?? 0));
    }
    silent += Number(isSilent);
    blank += Number(isBlank);
    repaired += Number(!isSilent && !isBlank && seen.some((value, label) => value > (heard[label] ?? 0)));
  }
  for (const count of [silent, blank]) assert.ok(count > 0.03 * size && count < 0.12 * size, `${count}`);
  assert.ok(repaired > 0.05 * size && repaired < 0.25 * size, `${repaired}`);
});

test('features are drawn as they are', () => {
  const pool = new ExamplePool(4);
  const features = Float32Array.of(1, 2, 3, 4, 5, 6);
  const none = new Float32Array(3);
  pool.add({
    start: 0,
    size: 3,
    inputs: { 'log-mel': features },
    audioTargets: Float32Array.of(1, 0, 0),
    visualTargets: none,
  });
  const { inputs, targets } = pool.draw(0, 60);
  const drawn = [...(inputs['log-mel'] ?? [])];
  assert.deepEqual(new Set(drawn), new Set(features));
  for (const [clip, target] of targets.entries()) assert.equal(drawn[2 * clip], target === 1 ? 1 : drawn[2 * clip]);
  assert.throws(() => new ExamplePool(4).draw(0, 1), /pool is empty/);
});

test('an empty pool is an error', () => {
  assert.throws(() => new ExamplePool(1).draw(0, 4), /pool is empty/);
});
