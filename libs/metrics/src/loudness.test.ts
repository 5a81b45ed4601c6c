import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gatedLoudness, kWeighting, kWeightingGain, ungatedLoudness } from './loudness.ts';

const near = (actual: number | null, expected: number, tolerance: number) =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) <= tolerance, `${actual} is not near ${expected}`);

/** Amplitude 10^(dBFS / 20). */
const sine = (hz: number, dbfs: number, seconds: number, rate: number) =>
  Float32Array.from({ length: seconds * rate }, (_, n) => 10 ** (dbfs / 20) * Math.sin((2 * Math.PI * hz * n) / rate));

test('at 48 kHz the filters are those of ITU-R BS.1770-5, tables 1 and 2', () => {
  const [shelf, pass] = kWeighting(48_000);
  const expected = {
    shelf: [1.53512485958697, -2.69169618940638, 1.19839281085285, -1.69065929318241, 0.73248077421585],
    pass: [1, -2, 1, -1.99004745483398, 0.99007225036621],
  };
  for (const [filter, values] of [
    [shelf, expected.shelf],
    [pass, expected.pass],
  ] as const) {
    for (const [i, value] of [...filter.b, ...filter.a].entries()) near(value, values[i] ?? Number.NaN, 1e-8);
  }
});

test('a full-scale sine of 997 Hz in one channel reads -3.01 LKFS, at any rate but for the warping of low ones', () => {
  for (const rate of [16_000, 44_100, 48_000]) near(gatedLoudness(sine(997, 0, 1, rate), rate), -3.01, 0.05);
});

test('loudness follows level, and gates leave out what is quiet: EBU Tech 3341, case 3 in one channel', () => {
  const rate = 16_000;
  near(gatedLoudness(sine(1000, -23, 4, rate), rate), -26.01, 0.05);
  const parts = [sine(1000, -36, 3, rate), sine(1000, -23, 18, rate), sine(1000, -36, 3, rate)];
  const programme = new Float32Array(24 * rate);
  for (const [i, offset] of [0, 3, 21].entries()) programme.set(parts[i] ?? [], offset * rate);
  near(gatedLoudness(programme, rate), -26.01, 0.1);
  assert.ok((ungatedLoudness(programme, rate) ?? 0) < -27);
});

test('below the gates there is no programme loudness, but a level; silence has neither', () => {
  const rate = 16_000;
  const faint = sine(1000, -80, 1, rate);
  assert.equal(gatedLoudness(faint, rate), null);
  near(ungatedLoudness(faint, rate), -83.0, 0.1);
  assert.equal(gatedLoudness(sine(1000, 0, 1, rate).subarray(0, 100), rate), null);
  assert.equal(ungatedLoudness(new Float32Array(100), rate), null);
});

test('the gain is what the filters do to a sine', () => {
  const rate = 16_000;
  for (const hz of [50, 300, 2000, 6000]) {
    const gain = kWeightingGain(hz, rate);
    near(ungatedLoudness(sine(hz, 0, 4, rate), rate), -0.691 + 20 * Math.log10(gain / Math.SQRT2), 0.02);
  }
});
