import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float32, GraphBuilder } from '@faultline/onnx';
import { float32Data, Session, toOrt } from '@faultline/ort';
import { logMel, timeSteps } from './front-end.ts';
import { VICTIM_SPECS } from './victim-specs.ts';

const { waveform: input, frontEnd } = VICTIM_SPECS.late;

async function logMelOf(waveform: Float32Array): Promise<Float32Array> {
  const g = new GraphBuilder();
  const value = logMel(g, g.input('waveform', ['batch', input.samples]), input, frontEnd);
  g.output(value, ['batch', 1, timeSteps(input, frontEnd), frontEnd.bands]);
  await using session = await Session.create(g.model());
  const results = await session.run({ waveform: toOrt(float32(waveform, [1, input.samples])) });
  const output = results[value];
  assert.ok(output);
  return float32Data(output);
}

function loudestBand(bands: Float32Array, step: number): number {
  const row = [...bands.subarray(step * frontEnd.bands, (step + 1) * frontEnd.bands)];
  return row.indexOf(Math.max(...row));
}

test('a rising tone rises through the bands, at one level', async () => {
  const tones = [64, 320, 1024, 1600, 1792, 3072, 3968, 4480, 7680];
  const peaks: number[] = [];
  const levels: number[] = [];
  for (const hertz of tones) {
    const tone = Float32Array.from({ length: input.samples }, (_, sample) =>
      Math.sin((2 * Math.PI * hertz * sample) / input.sampleRateHz),
    );
    const bands = await logMelOf(tone);
    const band = loudestBand(bands, 10);
    peaks.push(band);
    levels.push(bands[10 * frontEnd.bands + band] ?? 0);
  }
  assert.deepEqual(
    peaks,
    peaks.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(peaks).size, tones.length);
  assert.equal(peaks[0], 0);
  assert.equal(peaks.at(-1), frontEnd.bands - 1);
  // A tone between two bands gives each half of its power: at most ln 2 in nepers of power.
  assert.ok(Math.max(...levels) - Math.min(...levels) < 0.5);
});

test('a click shows at its moment, in windows that reach into it too, and nowhere else', async () => {
  const click = new Float32Array(input.samples);
  const step = 40;
  click[step * frontEnd.stepSamples + 120] = 1;
  const bands = await logMelOf(click);
  const floor = bands[0] ?? 0;
  const above = (at: number) =>
    Array.from(bands.subarray(at * frontEnd.bands, (at + 1) * frontEnd.bands), (v) => v > floor);
  assert.ok(above(step).every(Boolean));
  // Only the low bands have windows of two steps.
  const before = above(step - 1);
  const reached = before.lastIndexOf(true) + 1;
  assert.ok(before.slice(0, reached).every(Boolean) && reached > 0 && reached < frontEnd.bands / 2, `${reached} bands`);
  for (let at = 0; at < input.samples / frontEnd.stepSamples; at++) {
    if (at !== step && at !== step - 1) assert.ok(!above(at).some(Boolean), `step ${at}`);
  }
});

test('windows that do not divide a step are refused', () => {
  const g = new GraphBuilder();
  const spec = { ...frontEnd, resolutions: [{ windowSamples: 60, fromHz: 100, toHz: 1000 }] };
  assert.throws(() => logMel(g, g.input('waveform', ['batch', input.samples]), input, spec), /windows of 60 samples/);
});
