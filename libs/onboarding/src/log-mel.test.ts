import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder, modelOf } from '@faultline/onnx';
import { float32Data, OrtTensor, Session } from '@faultline/ort';
import { bandWeights, type LogMelParameters, logMelSteps, samplesFor, timeSteps, windowValues } from './log-mel.ts';
import { LOG_MEL_PRESETS } from './log-mel-presets.ts';

const RATE = 16_000;

/** One time step, written out as the definition has it: window, Fourier sum, bands, logarithm. */
function stepOf(sound: Float32Array, step: number, p: LogMelParameters): number[] {
  const start = p.padding === 'reflect' ? step * p.hop - p.fft / 2 + Math.floor((p.fft - p.window) / 2) : step * p.hop;
  const mirrored = (i: number) => (i < 0 ? -i : i >= sound.length ? 2 * (sound.length - 1) - i : i);
  const raw = Array.from({ length: p.window }, (_, i) => sound[mirrored(start + i)] ?? 0);
  const mean = p.removeMean === 'window' ? raw.reduce((sum, value) => sum + value, 0) / raw.length : 0;
  const centred = raw.map((value) => value - mean);
  const window = windowValues(p.windowShape, p.window);
  const shaped = centred.map(
    (value, i) => (value - p.preemphasis * (centred[Math.max(0, i - 1)] ?? 0)) * (window[i] ?? 0),
  );
  const weights = bandWeights(p);
  const bands = new Array<number>(p.bands).fill(0);
  for (let bin = 0; bin <= p.fft / 2; bin++) {
    let [re, im] = [0, 0];
    for (const [i, value] of shaped.entries()) {
      re += value * Math.cos((2 * Math.PI * bin * i) / p.fft);
      im -= value * Math.sin((2 * Math.PI * bin * i) / p.fft);
    }
    const level = p.power === 2 ? re * re + im * im : Math.hypot(re, im);
    for (let band = 0; band < p.bands; band++)
      bands[band] = (bands[band] ?? 0) + level * (weights[bin * p.bands + band] ?? 0);
  }
  const factor = p.logarithm === 'ln' ? 1 : (p.logarithm === 'db' ? 10 : 1) / Math.LN10;
  return bands.map((value) => {
    const floored = p.floorMode === 'add' ? value + p.floor : Math.max(value, p.floor);
    return (factor * Math.log(floored) - p.mean) / p.std;
  });
}

for (const [name, preset] of Object.entries(LOG_MEL_PRESETS)) {
  test(`${name}: the graph computes what the definition says`, async () => {
    const p: LogMelParameters = { sampleRateHz: RATE, highHz: RATE / 2, ...preset };
    const steps = 3;
    const samples = samplesFor(p, steps);
    const sound = Float32Array.from(
      { length: samples },
      (_, i) => 0.3 * Math.sin(i * i * 1e-4) + 0.1 * Math.sin(i * 1.7) + 0.05,
    );
    const b = new GraphBuilder();
    b.output(logMelSteps(b, b.input('waveform', ['batch', samples]), samples, steps, p), undefined, 'unknown', 'mel');
    await using session = await Session.create(modelOf(b.graph()));
    const { mel } = await session.run({ waveform: new OrtTensor('float32', sound, [1, samples]) });
    assert.ok(mel);
    assert.deepEqual(mel.dims, [1, steps, p.bands]);
    const step = 1;
    const expected = stepOf(sound, step, p);
    const found = float32Data(mel).slice(step * p.bands, (step + 1) * p.bands);
    for (const [band, value] of expected.entries())
      assert.ok(
        Math.abs((found[band] ?? Number.NaN) - value) < 2e-3 * Math.max(1, Math.abs(value)),
        `band ${band}: ${found[band]} for ${value}`,
      );
  });
}

test('a sound has the time steps that samplesFor says', () => {
  for (const padding of ['reflect', 'none'] as const) {
    const p = { padding, fft: 512, window: 400, hop: 160 };
    for (const steps of [4, 97]) assert.equal(timeSteps(p, samplesFor(p, steps)), steps);
    assert.equal(timeSteps(p, samplesFor(p, 97) - 1), 96);
  }
});
