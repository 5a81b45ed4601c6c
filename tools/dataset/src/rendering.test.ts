import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderScene } from './compose.ts';
import { Random } from './random.ts';
import { TRAINING_GEOMETRY } from './render-frames.ts';
import { loudnessAt, renderSound } from './render-sound.ts';
import { drawScene, type Scene } from './scene.ts';
import { randomCasting } from './sources.ts';
import { syntheticSources } from './synthetic-sources.ts';

const sources = syntheticSources();
const casting = randomCasting(sources, 'train');

function singleScene(label = 'bird'): Scene {
  return drawScene({ kind: 'single', labels: [label], augment: false }, casting, new Random(`scene/${label}`));
}

function withEvent(scene: Scene, change: { onsetSeconds?: number; followsSound?: boolean }): Scene {
  return {
    ...scene,
    events: scene.events.map(({ label, sound, picture }) => ({
      label,
      sound: sound && { ...sound, pauseSeconds: 0.5, ...change },
      picture: picture && { ...picture, zoom: 0, velocityX: 0, velocityY: 0, bobHeight: 0, ...change },
    })),
  };
}

const power = (waveform: Float32Array, from: number, to: number): number =>
  waveform.subarray(from, to).reduce((sum, value) => sum + value * value, 0) / (to - from);

test('the sound is snrDb above the ambience, starts at its onset, pauses and repeats', () => {
  const scene = { ...withEvent(singleScene(), { onsetSeconds: 0.25 }), snrDb: 20, levelDb: -20 };
  const { waveform } = renderSound(sources, scene);
  const ambience = power(waveform, 0, 4000);
  const event = power(waveform, 8000, 16_000);
  assert.ok(Math.abs(10 * Math.log10(event / ambience) - 20) < 1);
  assert.ok(Math.abs(10 * Math.log10(event) + 20) < 0.5);
  // One second of sound from 0.25 s, half a second of pause, then again.
  assert.ok(Math.abs(10 * Math.log10(power(waveform, 21_000, 27_000) / ambience)) < 1);
  assert.ok(Math.abs(10 * Math.log10(power(waveform, 29_000, 32_000) / event)) < 1);
});

test('loud clips are scaled, not clipped', () => {
  const loud = { ...singleScene(), levelDb: 6 };
  const { waveform } = renderSound(sources, loud);
  const peak = waveform.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  assert.ok(Math.abs(peak - 0.95) < 1e-6);
  assert.ok(waveform.filter((value) => Math.abs(value) > 0.94).length < 0.2 * waveform.length);
});

test('the loudness envelope is 1 while the sound plays and 0 before it', () => {
  const { envelopes } = renderSound(sources, withEvent(singleScene(), { onsetSeconds: 0.5 }));
  const [envelope] = envelopes;
  assert.ok(envelope);
  assert.equal(loudnessAt(envelope, 0.3), 0);
  assert.ok(loudnessAt(envelope, 0.9) > 0.9);
});

test('one scene at two resolutions shows the same', () => {
  const scene = singleScene('brass');
  const small = renderScene(sources, scene, TRAINING_GEOMETRY);
  const large = renderScene(sources, scene, { ...TRAINING_GEOMETRY, width: 128, height: 128 });
  assert.deepEqual(small.waveform, large.waveform);
  let difference = 0;
  for (let at = 0; at < small.frames.length; at++) {
    const x = at % 64;
    const y = Math.floor(at / 64) % 64;
    const from = Math.floor(at / 4096) * 128 * 128 + 2 * y * 128 + 2 * x;
    const area = [0, 1, 128, 129].reduce((sum, step) => sum + (large.frames[from + step] ?? 0), 0) / 4;
    difference += Math.abs(area - (small.frames[at] ?? 0));
  }
  assert.ok(difference / small.frames.length < 1, `mean difference ${difference / small.frames.length} of 255`);
});

test('a picture that follows its sound leaps when it starts; a steady one stays', () => {
  const frames = (followsSound: boolean): Uint8Array[] => {
    const scene = withEvent(singleScene(), { onsetSeconds: 0.5, followsSound });
    const still = { ...scene, background: { ...scene.background, to: scene.background.from, zoom: 0 } };
    const { frames: all } = renderScene(sources, still, TRAINING_GEOMETRY);
    return Array.from({ length: 8 }, (_, at) => all.subarray(at * 12_288, (at + 1) * 12_288));
  };
  const following = frames(true);
  assert.deepEqual(following[0], following[1]);
  assert.notDeepEqual(following[1], following[3]);
  const steady = frames(false);
  assert.deepEqual(steady[0], steady[3]);
});
