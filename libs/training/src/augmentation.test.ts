import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BalancedSampler } from './balanced-sampling.ts';
import { CounterRandom } from './counter-random.ts';
import { mixup } from './mixup.ts';
import { drawMasks, SPEC_AUGMENT_DEFAULTS } from './spec-augment.ts';
import { toyBatch } from './testing/toy-set.ts';

const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length;

test('mixup blends clips and their targets by one share, and keeps what a batch holds in all', () => {
  const batch = toyBatch(0);
  const mixed = mixup(batch, 0.3, { seed: 1, step: 4 });
  assert.deepEqual(mixup(batch, 0.3, { seed: 1, step: 4 }), mixed);
  assert.notDeepEqual(mixup(batch, 0.3, { seed: 1, step: 5 }).targets, mixed.targets);
  assert.ok(mixed.targets.some((value) => value > 0 && value < 1));
  assert.ok(mixed.targets.every((value) => value >= 0 && value <= 1));
  const { frames } = mixed.inputs;
  assert.ok(frames);
  for (const clip of Array.from({ length: batch.size }, (_, index) => index)) {
    // The bright picture's mean is 0.5 above the dark one's: the same share shows in pixels and in the target.
    const pixels = frames.length / batch.size;
    const brightness = mean(frames.subarray(clip * pixels, (clip + 1) * pixels));
    assert.ok(Math.abs(brightness - 0.1 - 0.5 * (mixed.visualTargets[2 * clip + 1] ?? 0)) < 0.01);
  }
  assert.throws(() => mixup(batch, 0, { seed: 1, step: 0 }), /mixup is 0/);
});

test('mixup with a small alpha changes little, with alpha 1 much', () => {
  const away = (alpha: number) => {
    const batch = toyBatch(0);
    return Array.from({ length: 200 }, (_, step) => mixup(batch, alpha, { seed: 1, step }).targets)
      .flatMap((targets) => [...targets])
      .reduce((sum, value) => sum + Math.min(value, 1 - value), 0);
  };
  assert.ok(away(1) > 3 * away(0.05));
});

test('a balanced draw takes each label equally often, however rare its clips', () => {
  const targets = Array.from({ length: 100 }, (_, clip) => (clip < 90 ? [1, 0] : clip < 98 ? [0, 1] : [0, 0]));
  const sampler = new BalancedSampler(targets);
  const random = new CounterRandom(1, 'draws');
  const counts = [0, 0, 0];
  const draws = 3000;
  let index = 0;
  for (let draw = 0; draw < draws; draw++) {
    const clip = sampler.draw(() => random.uniform(index++));
    const kind = clip < 90 ? 0 : clip < 98 ? 1 : 2;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(Math.abs(count - draws / 3) < 0.1 * draws, `${counts}`);
  assert.throws(() => new BalancedSampler([]), /no clips/);
});

test('masks blank stretches no longer than asked, and depend on seed and step alone', () => {
  const size = { steps: 100, bands: 40 };
  const at = { seed: 1, step: 2, size: 50 };
  const masks = drawMasks(SPEC_AUGMENT_DEFAULTS, size, at);
  assert.deepEqual(drawMasks(SPEC_AUGMENT_DEFAULTS, size, at), masks);
  assert.notDeepEqual(drawMasks(SPEC_AUGMENT_DEFAULTS, size, { ...at, step: 3 }), masks);
  const blanked = (values: Float32Array, each: number) =>
    Array.from({ length: at.size }, (_, clip) => {
      return values.subarray(clip * each, (clip + 1) * each).filter((value) => value === 0).length;
    });
  const time = blanked(masks.time, size.steps);
  assert.ok(Math.max(...time) <= 24 && Math.max(...time) > 12, `${time}`);
  assert.ok(Math.max(...blanked(masks.bands, size.bands)) <= 12);
  assert.ok(drawMasks(undefined, size, at).time.every((value) => value === 1));
});
