import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeAudioFile, decodeMedia } from './decode-media.ts';
import { encodeWav } from './encode-wav.ts';
import type { FramesSpecification, WaveformSpecification } from './input-specification.ts';
import { MediaError } from './media-error.ts';
import { encodeTestClip, TEST_CLIP, testTone } from './test-clip.ts';

const WAVEFORM: WaveformSpecification = { kind: 'waveform', sampleRateHz: 16_000, samples: 32_000 };
const FRAMES: FramesSpecification = { kind: 'frames', frameRateHz: 4, frames: 8, height: 64, width: 48 };
/** AAC at 64 kbit/s and 4:2:0 video lose a little. */
const SOUND_TOLERANCE = 0.02;
/** A transform codec smears a sudden beginning. One sample of delay would already cost 0.09, the encoder's priming 0.5. */
const ONSET_TOLERANCE = 0.085;
const PIXEL_TOLERANCE = 24;

/** Amplitude of the part of the waveform that is this tone in this phase. */
function toneIn(waveform: Float32Array, toneHz: number, sampleRateHz: number): number {
  let sum = 0;
  for (const [index, amplitude] of waveform.entries()) {
    sum += amplitude * Math.sin((2 * Math.PI * toneHz * index) / sampleRateHz);
  }
  return (2 * sum) / waveform.length;
}

async function decodeWaveform(bytes: Uint8Array, specification: WaveformSpecification): Promise<Float32Array> {
  const [input] = await decodeMedia(bytes, [specification]);
  assert.ok(input?.data instanceof Float32Array);
  assert.deepEqual(input.dims, [specification.samples]);
  return input.data;
}

async function decodeFrames(bytes: Uint8Array, specification: FramesSpecification): Promise<Uint8Array> {
  const { frames, height, width } = specification;
  const [input] = await decodeMedia(bytes, [specification]);
  assert.ok(input?.data instanceof Uint8Array);
  assert.deepEqual(input.dims, [frames, 3, height, width]);
  return input.data;
}

describe('decodeMedia', () => {
  let clip: Uint8Array;
  before(async () => {
    clip = await encodeTestClip();
  });

  it('gives the sound back in place: no delay, same amplitude', async () => {
    const waveform = await decodeWaveform(clip, WAVEFORM);
    const tone = testTone();
    const furthest = (from: number, to: number) =>
      waveform
        .subarray(from, to)
        .reduce((worst, amplitude, index) => Math.max(worst, Math.abs(amplitude - (tone[from + index] ?? 0))), 0);
    const edge = 1000;
    assert.ok(furthest(edge, tone.length - edge) < SOUND_TOLERANCE);
    assert.ok(furthest(0, tone.length) < ONSET_TOLERANCE);
  });

  for (const sampleRateHz of [8000, 22_050, 44_100]) {
    it(`resamples to ${sampleRateHz} Hz without moving or scaling the tone`, async () => {
      const waveform = await decodeWaveform(clip, { kind: 'waveform', sampleRateHz, samples: 2 * sampleRateHz });
      const amplitude = toneIn(waveform, TEST_CLIP.toneHz, sampleRateHz);
      assert.ok(Math.abs(amplitude - TEST_CLIP.toneAmplitude) < SOUND_TOLERANCE, `amplitude ${amplitude}`);
    });
  }

  it('cuts sound that is too long, and pads with zeros what is too short', async () => {
    const whole = await decodeWaveform(clip, WAVEFORM);
    assert.deepEqual(await decodeWaveform(clip, { ...WAVEFORM, samples: 10_000 }), whole.subarray(0, 10_000));
    const padded = await decodeWaveform(clip, { ...WAVEFORM, samples: 40_000 });
    assert.deepEqual(padded.subarray(0, 32_000), whole);
    assert.ok(padded.subarray(32_000).every((amplitude) => amplitude === 0));
  });

  it('gives the pictures in their colours and their order', async () => {
    const { frames, height, width } = FRAMES;
    const pixels = await decodeFrames(clip, FRAMES);
    const { side, squareSide, squareStep, frameRateHz } = TEST_CLIP;
    for (let frame = 0; frame < frames; frame++) {
      const shown = Math.floor(((frame + 0.5) / FRAMES.frameRateHz) * frameRateHz);
      const squareColumn = Math.floor(((shown * squareStep + squareSide / 2) / side) * width);
      const groundColumn = (squareColumn + width / 2) % width;
      const colourAt = (column: number) =>
        [0, 1, 2].map((channel) => pixels[((frame * 3 + channel) * height + height / 2) * width + column] ?? -1);
      assertColour(colourAt(squareColumn), [255, 0, 0], `square of frame ${frame}`);
      assertColour(colourAt(groundColumn), [0, 0, 255], `ground of frame ${frame}`);
    }
  });

  it('repeats the last picture of short media and cuts long media', async () => {
    const size = 3 * FRAMES.height * FRAMES.width;
    const whole = await decodeFrames(clip, FRAMES);
    assert.deepEqual(await decodeFrames(clip, { ...FRAMES, frames: 3 }), whole.subarray(0, 3 * size));
    const longer = await decodeFrames(clip, { ...FRAMES, frames: 10 });
    assert.deepEqual(longer.subarray(0, 8 * size), whole);
    for (const frame of [8, 9]) {
      assert.deepEqual(longer.subarray(frame * size, (frame + 1) * size), longer.subarray(8 * size, 9 * size));
    }
  });

  it('extracts several inputs in one pass, each as if alone, the same in every run', async () => {
    const other: FramesSpecification = { kind: 'frames', frameRateHz: 2, frames: 3, height: 128, width: 120 };
    const together = await decodeMedia(clip, [FRAMES, WAVEFORM, other]);
    const alone = [
      await decodeFrames(clip, FRAMES),
      await decodeWaveform(clip, WAVEFORM),
      await decodeFrames(clip, other),
    ];
    assert.deepEqual(
      together.map(({ data }) => data),
      alone,
    );
    assert.deepEqual(await decodeMedia(clip, [FRAMES, WAVEFORM, other]), together);
  });

  it('reads other containers, and sound of any length', async () => {
    const wav = encodeWav(testTone(12_345), 16_000);
    assert.equal((await decodeAudioFile(wav)).length, 12_345);
    assert.equal((await decodeAudioFile(wav, 32_000)).length, 24_690);
  });

  it('says which stream is missing', async () => {
    const soundOnly = encodeWav(testTone(), 16_000);
    await assert.rejects(decodeMedia(soundOnly, [WAVEFORM, FRAMES]), {
      reason: 'no_video',
      message: /no video stream/,
    });
    const picturesOnly = Buffer.from(clip);
    picturesOnly.write('free', picturesOnly.lastIndexOf('trak'), 'latin1');
    await assert.rejects(decodeMedia(picturesOnly, [WAVEFORM]), { reason: 'no_audio', message: /no audio stream/ });
    assert.equal((await decodeFrames(picturesOnly, FRAMES)).length, 8 * 3 * 64 * 48);
  });

  it('opens nothing that the media names', async () => {
    const playlist = Buffer.from(
      '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n',
    );
    await assert.rejects(decodeMedia(playlist, [WAVEFORM]), { reason: 'undecodable' });
    const list = Buffer.from('ffconcat version 1.0\nfile /etc/hostname\n');
    await assert.rejects(decodeMedia(list, [WAVEFORM]), { reason: 'undecodable' });
  });

  it('refuses nonsense in what is asked', async () => {
    await assert.rejects(decodeMedia(clip, [{ ...WAVEFORM, samples: 0 }]), {
      reason: 'bad_specification',
      message: /samples must be an integer of at least 1, but is 0/,
    });
    await assert.rejects(decodeMedia(clip, [{ ...FRAMES, frameRateHz: Number.NaN }]), { reason: 'bad_specification' });
  });

  it('refuses bytes that are no media', async () => {
    await assert.rejects(decodeMedia(new Uint8Array(0), [WAVEFORM]), { reason: 'undecodable', message: /empty/ });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 4096 }), async (bytes) => {
        await assert.rejects(decodeMedia(bytes, [WAVEFORM, FRAMES]), MediaError);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('refuses a clip that ends too early, wherever that is', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: clip.length - 1 }), async (length) => {
        await assert.rejects(decodeMedia(clip.subarray(0, length), [WAVEFORM, FRAMES]), MediaError);
      }),
      { numRuns: 50, seed: 1, examples: [[clip.length - 1], [clip.length - 2], [clip.length - 200]] },
    );
  });
});

function assertColour(actual: readonly number[], expected: readonly number[], what: string): void {
  const near = actual.every((value, channel) => Math.abs(value - (expected[channel] ?? 0)) <= PIXEL_TOLERANCE);
  assert.ok(near, `${what} is ${actual.join(', ')} instead of ${expected.join(', ')}`);
}
