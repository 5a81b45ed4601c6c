import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMedia } from './decode-media.ts';
import { encodeClip } from './encode-clip.ts';
import type { FramesSpecification, WaveformSpecification } from './input-specification.ts';
import type { MediaWindow } from './media-window.ts';
import { TEST_CLIP } from './test-clip.ts';
import { encodeTestMedia, greyLevel, MEDIA_FORMS, type MediaForm, tone, withDisplayMatrix } from './test-media.ts';

const RATE_HZ = 16_000;
const WAVEFORM: WaveformSpecification = { kind: 'waveform', sampleRateHz: RATE_HZ, samples: 2 * RATE_HZ };
const FRAMES: FramesSpecification = { kind: 'frames', frameRateHz: 8, frames: 16, height: 4, width: 6 };
/** Coding at 128 kbit/s and 8 bits lose less. One sample of delay at 48 kHz would cost 0.03 at the tone's amplitude of 0.5. */
const SOUND_TOLERANCE = 0.025;
const EDGE_SAMPLES = 1600;
/** Their time stamps are whole milliseconds, so where reading begins in the middle the time may be off by one. */
const ROUNDED_TIME: ReadonlySet<string> = new Set(['matroska', 'webm']);
const MOST_ROUNDING_SECONDS = 0.001_01;
/** Of the tone from 5 s to 7 s, where it is at 80 % of its full loudness. */
const MEAN_AMPLITUDE = 0.4;
/** Neighbouring pictures are 37 apart. */
const GREY_TOLERANCE = 10;

async function decodeSound(media: Uint8Array, specification = WAVEFORM, window?: MediaWindow): Promise<Float32Array> {
  const [input] = await decodeMedia(media, [specification], window);
  assert.ok(input?.data instanceof Float32Array);
  return input.data;
}

/** The mean level of each picture. */
async function decodeGreys(media: Uint8Array, specification = FRAMES, window?: MediaWindow): Promise<number[]> {
  const [input] = await decodeMedia(media, [specification], window);
  assert.ok(input?.data instanceof Uint8Array);
  const { data } = input;
  const bytes = data.length / specification.frames;
  return Array.from({ length: specification.frames }, (_, frame) => {
    return data.subarray(frame * bytes, (frame + 1) * bytes).reduce((sum, value) => sum + value, 0) / bytes;
  });
}

function assertTone(waveform: Float32Array, startSeconds = 0, tolerance = SOUND_TOLERANCE): void {
  const start = Math.round(startSeconds * RATE_HZ);
  const expected = tone(start + waveform.length, RATE_HZ).subarray(start);
  const from = startSeconds === 0 ? EDGE_SAMPLES : 0;
  for (let index = from; index < waveform.length - EDGE_SAMPLES; index++) {
    const error = Math.abs((waveform[index] ?? 0) - (expected[index] ?? 0));
    assert.ok(error < tolerance, `sample ${index} is off by ${error}`);
  }
}

/** The tone of 440 Hz, in whose 5th second all 440 periods are over, is late or early by no more than this. */
function assertInPhase(waveform: Float32Array, mostSeconds: number): void {
  let [sine, cosine] = [0, 0];
  for (const [index, amplitude] of waveform.entries()) {
    const angle = (2 * Math.PI * TEST_CLIP.toneHz * index) / RATE_HZ;
    sine += (2 * amplitude * Math.sin(angle)) / waveform.length;
    cosine += (2 * amplitude * Math.cos(angle)) / waveform.length;
  }
  const late = Math.atan2(cosine, sine) / (2 * Math.PI * TEST_CLIP.toneHz);
  assert.ok(Math.abs(late) < mostSeconds, `off by ${late} s`);
  assert.ok(Math.abs(Math.hypot(sine, cosine) - MEAN_AMPLITUDE) < SOUND_TOLERANCE);
}

function assertGreys(greys: readonly number[], pictures: readonly number[]): void {
  for (const [index, picture] of pictures.entries()) {
    const error = Math.abs((greys[index] ?? 0) - greyLevel(picture));
    assert.ok(error < GREY_TOLERANCE, `frame ${index} has level ${greys[index]}, expected ${greyLevel(picture)}`);
  }
}

const upTo = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

describe('media in every form', () => {
  for (const [name, form] of Object.entries<MediaForm>(MEDIA_FORMS)) {
    it(`${name}: sound and pictures in their place, also in a window of a longer file`, async () => {
      const whole = await encodeTestMedia(form);
      const long = await encodeTestMedia(form, { seconds: 8 });
      const window = { startSeconds: 5 };
      if (form.sound) {
        assertTone(await decodeSound(whole));
        const cut = await decodeSound(long, WAVEFORM, window);
        if (ROUNDED_TIME.has(form.container)) assertInPhase(cut, MOST_ROUNDING_SECONDS);
        else assertTone(cut, 5);
      }
      if (form.pictures) {
        assertGreys(await decodeGreys(whole), upTo(16));
        assertGreys(await decodeGreys(long, FRAMES, window), upTo(16, 40));
      } else {
        await assert.rejects(decodeMedia(whole, [FRAMES]), { reason: 'no_video' });
      }
    });
  }

  it('sound without pictures and pictures without sound, each refused when the other is asked', async () => {
    for (const form of [MEDIA_FORMS.mp4, MEDIA_FORMS['webm (VP9)']]) {
      const mute = await encodeTestMedia(form, { without: 'sound' });
      assertGreys(await decodeGreys(mute), upTo(16));
      await assert.rejects(decodeMedia(mute, [WAVEFORM]), { reason: 'no_audio', message: /no audio stream/ });
      const dark = await encodeTestMedia(form, { without: 'pictures' });
      assertTone(await decodeSound(dark));
      await assert.rejects(decodeMedia(dark, [FRAMES]), { reason: 'no_video', message: /no video stream/ });
    }
  });

  for (const sampleRateHz of [8000, 11_025, 22_050, 37_800, 96_000]) {
    it(`sound at ${sampleRateHz} Hz`, async () => {
      const media = await encodeTestMedia(MEDIA_FORMS.flac, { sampleRateHz });
      assertTone(await decodeSound(media), 0, 0.01);
    });
  }

  for (const channels of [2, 6] as const) {
    it(`sound in ${channels} channels comes out at the level of one`, async () => {
      for (const form of [MEDIA_FORMS.wav, MEDIA_FORMS.m4a, MEDIA_FORMS.mkv]) {
        const mono = await decodeSound(await encodeTestMedia(form));
        const mixed = await decodeSound(await encodeTestMedia(form, { channels }));
        const level = (samples: Float32Array) => Math.hypot(...samples.subarray(8000, 12_000));
        assert.ok(Math.abs(level(mixed) / level(mono) - 1) < 0.03, `${level(mixed)} for ${level(mono)}`);
      }
    });
  }

  for (const [frameRateHz, pictures] of [
    [4, [0, 0, 1, 1, 2, 2]],
    [29.97, [1, 5, 9, 13, 16, 20]],
    [60, [3, 11, 18, 26, 33, 41]],
  ] as const) {
    it(`pictures at ${frameRateHz} Hz`, async () => {
      const media = await encodeTestMedia(MEDIA_FORMS.mp4, { frameRateHz });
      assertGreys(await decodeGreys(media), pictures);
    });
  }
});

describe('windows', () => {
  it('end where they are told to: sound is silent, the last picture stays', async () => {
    const media = await encodeTestMedia(MEDIA_FORMS.mkv, { seconds: 4 });
    const window = { startSeconds: 1, durationSeconds: 0.5 };
    const sound = await decodeSound(media, WAVEFORM, window);
    assertTone(sound.subarray(0, 8000 + EDGE_SAMPLES), 1);
    assert.ok(sound.subarray(8000).every((amplitude) => amplitude === 0));
    assertGreys(await decodeGreys(media, FRAMES, window), [8, 9, 10, 11, 11, 11, 11, 11]);
  });

  it('that reach over the end are filled as short media is', async () => {
    const media = await encodeTestMedia(MEDIA_FORMS.mp4, { seconds: 4 });
    const window = { startSeconds: 3.5 };
    assertTone((await decodeSound(media, WAVEFORM, window)).subarray(0, 8000), 3.5);
    assertGreys(await decodeGreys(media, FRAMES, window), [28, 29, 30, 31, 31, 31]);
  });

  it('behind the end are refused, as is a beginning that is no time', async () => {
    for (const form of [MEDIA_FORMS.mp4, MEDIA_FORMS.mp3, MEDIA_FORMS.wav]) {
      const media = await encodeTestMedia(form);
      await assert.rejects(decodeMedia(media, [WAVEFORM], { startSeconds: 60 }), {
        reason: 'bad_window',
        message: /ends before 60 s/,
      });
    }
    const media = await encodeTestMedia(MEDIA_FORMS.wav);
    for (const window of [
      { startSeconds: -1 },
      { startSeconds: Number.NaN },
      { startSeconds: 0, durationSeconds: 0 },
    ]) {
      await assert.rejects(decodeMedia(media, [WAVEFORM], window), { reason: 'bad_specification' });
    }
  });
});

/** A picture with red in its upper left quarter, green in its upper right, blue in its lower left, black in its lower right. */
async function quarters(): Promise<Uint8Array> {
  const [width, height] = [64, 32];
  const pixels = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const right = pixel % width >= width / 2;
    const low = pixel >= (width * height) / 2;
    if (!(right && low)) pixels[3 * pixel + (right ? 1 : low ? 2 : 0)] = 255;
  }
  const frames = Buffer.concat([pixels, pixels]);
  return encodeClip({ waveform: new Float32Array(4000), sampleRateHz: RATE_HZ, frames, frameRateHz: 8, width, height });
}

/** Colours of the four corners, row by row, of the first picture at the given size. */
async function corners(media: Uint8Array, height: number, width: number): Promise<string> {
  const [input] = await decodeMedia(media, [{ kind: 'frames', frameRateHz: 8, frames: 1, height, width }]);
  assert.ok(input);
  const at = (y: number, x: number) => {
    const channels = [0, 1, 2].map((channel) => input.data[channel * height * width + y * width + x] ?? 0);
    const bright = channels.findIndex((value) => value > 128);
    return 'RGB'[bright] ?? '-';
  };
  const [y, x] = [Math.floor(height / 8), Math.floor(width / 8)];
  return [at(y, x), at(y, width - 1 - x), at(height - 1 - y, x), at(height - 1 - y, width - 1 - x)].join('');
}

describe('orientation', () => {
  for (const [what, matrix, expected] of [
    ['upright', [1, 0, 0, 1], 'RGB-'],
    ['a quarter clockwise', [0, 1, -1, 0], 'BR-G'],
    ['a half', [-1, 0, 0, -1], '-BGR'],
    ['a quarter counterclockwise', [0, -1, 1, 0], 'G-RB'],
    ['mirrored', [-1, 0, 0, 1], 'GR-B'],
    ['upside down', [1, 0, 0, -1], 'B-RG'],
  ] as const) {
    it(`${what}: pictures come out as they are shown`, async () => {
      const media = withDisplayMatrix(await quarters(), matrix);
      assert.equal(await corners(media, 16, 16), expected);
      assert.equal(await corners(media, 24, 40), expected);
    });
  }
});
