import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeAudioFile } from './decode-media.ts';
import { encodeFloatWav, encodeWav } from './encode-wav.ts';

describe('encodeWav', () => {
  it('writes a file that FFmpeg reads back to within one step', async () => {
    const waveform = Float32Array.from({ length: 1000 }, (_, index) => Math.sin(index));
    const read = await decodeAudioFile(encodeWav(waveform, 16_000), 16_000);
    assert.equal(read.length, waveform.length);
    for (const [index, amplitude] of read.entries()) {
      assert.ok(Math.abs(amplitude - (waveform[index] ?? 0)) < 1 / 16_384, `sample ${index}`);
    }
  });

  it('clips amplitudes outside [-1, 1] and writes silence for what is no number', () => {
    const wav = Buffer.from(encodeWav(Float32Array.of(2, -2, Number.NaN, 1), 8000));
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => wav.readInt16LE(44 + 2 * index)),
      [32767, -32767, 0, 32767],
    );
    assert.equal(wav.readUInt32LE(24), 8000);
  });

  it('refuses a sample rate that is no positive integer', () => {
    assert.throws(() => encodeWav(new Float32Array(1), 0.5), {
      reason: 'bad_specification',
      message: /sampleRateHz.*0\.5/,
    });
  });
});

describe('encodeFloatWav', () => {
  it('writes a file that FFmpeg reads back bit for bit', async () => {
    const waveform = Float32Array.from({ length: 1000 }, (_, index) => Math.sin(index));
    assert.deepEqual(await decodeAudioFile(encodeFloatWav(waveform, 16_000), 16_000), waveform);
  });
});
