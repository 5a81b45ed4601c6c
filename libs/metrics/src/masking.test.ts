import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BudgetMeasure, perturbationSize } from './budget-measure.ts';
import { binFrequencyHz, lappedCoefficients, lappedPositions } from './lapped-cosine.ts';
import { bark, maskingThresholds, quietThresholdDb } from './masking.ts';

const RATE = 16_000;
const HOP = 256;
const SAMPLES = 4_100;
const sine = (hz: number, amplitude: number) =>
  Float32Array.from({ length: SAMPLES }, (_, n) => amplitude * Math.sin((2 * Math.PI * hz * n) / RATE));

test('coefficients hold the energy of a waveform, ends included', () => {
  const clip = Float32Array.from({ length: SAMPLES }, (_, n) => Math.sin(n * n));
  const energy = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value * value, 0);
  const coefficients = lappedCoefficients(clip, HOP);
  assert.equal(coefficients.length, lappedPositions(SAMPLES, HOP) * HOP);
  assert.ok(Math.abs(energy(coefficients) / energy(clip) - 1) < 1e-12);
});

test('the threshold in quiet is that of the formula: lowest near 3.3 kHz', () => {
  assert.ok(Math.abs(quietThresholdDb(1000) - (3.64 - 6.5 * Math.exp(-0.6 * 2.3 ** 2) + 0.001 - 12)) < 1e-9);
  assert.ok(quietThresholdDb(3300) < quietThresholdDb(1000) && quietThresholdDb(3300) < quietThresholdDb(8000));
  assert.equal(quietThresholdDb(40_000), 96);
});

test('a tone masks what is near it, by its level and the distance in Bark', () => {
  const hz = 1000;
  const thresholds = maskingThresholds(sine(hz, 0.5), RATE, HOP);
  const position = 8;
  // The level of a sine of amplitude a, as the loudest bin of its clip, is 96 dB.
  const level = (bin: number) =>
    96 + 20 * Math.log10((thresholds[position * HOP + bin] ?? 0) / (0.5 * Math.sqrt(HOP / 2)));
  // Three bins of the Hann window hold 1.5 times the power of the middle one.
  const masker = 96 + 10 * Math.log10(1.5);
  for (const bin of [20, 28, 35, 45, 60]) {
    const distance = bark(binFrequencyHz(bin, HOP, RATE)) - bark(hz);
    const slope = distance > 0 ? -27 + 0.37 * (masker - 40) : 27;
    const expected = masker - 6.025 - 0.275 * bark(hz) + slope * distance;
    assert.ok(Math.abs(level(bin) - expected) < 0.1, `bin ${bin}: ${level(bin)}, expected ${expected}`);
  }
});

test('far from all maskers the threshold is that in quiet, and silence has one, too', () => {
  const position = 8;
  const quiet = maskingThresholds(new Float32Array(SAMPLES), RATE, HOP);
  assert.ok(quiet.every((threshold) => threshold > 0 && Number.isFinite(threshold)));
  const beside = maskingThresholds(sine(6000, 1e-3), RATE, HOP);
  const low = position * HOP + 2;
  const unit = 1e-3 ** 2 / 6;
  const expected = Math.sqrt(6 * unit * 10 ** ((quietThresholdDb(binFrequencyHz(2, HOP, RATE)) - 96) / 10) * (HOP / 2));
  assert.ok(Math.abs((beside[low] ?? 0) / expected - 1) < 0.05, `${beside[low]} of ${expected}`);
});

test('a perturbation below the threshold everywhere has a size below 1; a louder one has a larger', () => {
  const clip = sine(1000, 0.5);
  const beside = (amplitude: number) =>
    clip.map((value, n) => value + amplitude * Math.sin((2 * Math.PI * 1150 * n) / RATE));
  const measure: BudgetMeasure = { norm: 'linf', weighting: { kind: 'masking', sampleRateHz: RATE } };
  const faint = perturbationSize(beside(1e-5), clip, measure);
  assert.ok(faint > 0 && faint < 1);
  const loud = perturbationSize(beside(0.4), clip, measure);
  assert.ok(loud > 10, `${loud}`);
  assert.equal(perturbationSize(clip, clip, measure), 0);
});

test('the loudness-weighted size of a perturbation is its K-weighted level', () => {
  const clip = new Float32Array(SAMPLES);
  const measure: BudgetMeasure = { norm: 'l2', weighting: { kind: 'loudness', sampleRateHz: RATE } };
  const size = (hz: number) => perturbationSize(sine(hz, 0.01), clip, measure) / Math.sqrt(SAMPLES);
  // 0 dB near 400 Hz, 4 dB at 4 kHz, and less at 40 Hz.
  const plain = 0.01 / Math.SQRT2;
  assert.ok(Math.abs(size(400) / plain - 1) < 0.05, `${size(400) / plain}`);
  assert.ok(size(4000) / plain > 1.5 && size(40) / plain < 0.8);
});
