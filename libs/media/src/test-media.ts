import {
  FF_ENCODER_AAC,
  FF_ENCODER_FLAC,
  FF_ENCODER_LIBMP3LAME,
  FF_ENCODER_LIBOPUS,
  FF_ENCODER_LIBVORBIS,
  FF_ENCODER_LIBVPX_VP8,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
  FF_ENCODER_PCM_S16LE,
  FF_ENCODER_PCM_U8,
} from 'node-av/constants';
import { SAMPLE_FORMS } from './sound-block.ts';
import { TEST_CLIP } from './test-clip.ts';
import { type AudioTrack, type VideoTrack, writeMedia } from './write-media.ts';

/** Files for tests in every container and with every codec that is promised to work. */

type Sound = Pick<AudioTrack, 'encoder' | 'form'>;
type Pictures = Pick<VideoTrack, 'encoder' | 'options' | 'bitRate'>;

const SOUND = {
  aac: { encoder: FF_ENCODER_AAC, form: SAMPLE_FORMS.planarFloat },
  opus: { encoder: FF_ENCODER_LIBOPUS, form: SAMPLE_FORMS.float },
  vorbis: { encoder: FF_ENCODER_LIBVORBIS, form: SAMPLE_FORMS.planarFloat },
  mp3: { encoder: FF_ENCODER_LIBMP3LAME, form: SAMPLE_FORMS.planarFloat },
  flac: { encoder: FF_ENCODER_FLAC, form: SAMPLE_FORMS.signed16 },
  pcm: { encoder: FF_ENCODER_PCM_S16LE, form: SAMPLE_FORMS.signed16 },
  pcm8: { encoder: FF_ENCODER_PCM_U8, form: SAMPLE_FORMS.unsigned8 },
} as const satisfies Record<string, Sound>;

const PICTURES = {
  h264: { encoder: FF_ENCODER_LIBX264, options: { crf: '16', preset: 'veryfast', g: '8' } },
  vp8: { encoder: FF_ENCODER_LIBVPX_VP8, options: { crf: '6', 'cpu-used': '4' }, bitRate: 10_000_000 },
  vp9: { encoder: FF_ENCODER_LIBVPX_VP9, options: { crf: '16', 'cpu-used': '4' }, bitRate: 0 },
} as const satisfies Record<string, Pictures>;

export interface MediaForm {
  readonly container: string;
  readonly sound?: keyof typeof SOUND;
  readonly pictures?: keyof typeof PICTURES;
}

/** By the ending that people know. */
export const MEDIA_FORMS = {
  mp4: { container: 'mp4', sound: 'aac', pictures: 'h264' },
  mov: { container: 'mov', sound: 'pcm', pictures: 'h264' },
  mkv: { container: 'matroska', sound: 'vorbis', pictures: 'h264' },
  'webm (VP8)': { container: 'webm', sound: 'vorbis', pictures: 'vp8' },
  'webm (VP9)': { container: 'webm', sound: 'opus', pictures: 'vp9' },
  wav: { container: 'wav', sound: 'pcm' },
  'wav (8 bits)': { container: 'wav', sound: 'pcm8' },
  flac: { container: 'flac', sound: 'flac' },
  mp3: { container: 'mp3', sound: 'mp3' },
  'ogg (Vorbis)': { container: 'ogg', sound: 'vorbis' },
  'ogg (Opus)': { container: 'ogg', sound: 'opus' },
  m4a: { container: 'ipod', sound: 'aac' },
} as const satisfies Readonly<Record<string, MediaForm>>;

export interface TestMediaOptions {
  readonly seconds?: number;
  readonly sampleRateHz?: number;
  readonly channels?: AudioTrack['channels'];
  readonly frameRateHz?: number;
  readonly without?: 'sound' | 'pictures';
}

const WIDTH = 48;
const HEIGHT = 32;
const BIT_RATE = 128_000;

/** A tone as in the test clip, and pictures of one grey each: picture k has the level of `greyLevel(k)`. */
export function encodeTestMedia(form: MediaForm, options: TestMediaOptions = {}): Promise<Uint8Array> {
  const { seconds = 2, sampleRateHz = 48_000, channels = 1, frameRateHz = 8, without } = options;
  const { sound, pictures } = form;
  return writeMedia({
    container: form.container,
    ...(sound && without !== 'sound'
      ? {
          audio: {
            ...SOUND[sound],
            waveform: tone(Math.round(seconds * sampleRateHz), sampleRateHz),
            sampleRateHz,
            channels,
            bitRate: BIT_RATE * channels,
          },
        }
      : {}),
    ...(pictures && without !== 'pictures'
      ? {
          video: {
            ...PICTURES[pictures],
            frames: greyPictures(Math.round(seconds * frameRateHz)),
            frameRateHz,
            width: WIDTH,
            height: HEIGHT,
          },
        }
      : {}),
  });
}

/** The test tone at any rate, `[samples]`. Its loudness grows over the first 10 s, so that every moment is another. */
export function tone(samples: number, sampleRateHz: number): Float32Array {
  const { toneAmplitude, toneHz } = TEST_CLIP;
  return Float32Array.from({ length: samples }, (_, index) => {
    const seconds = index / sampleRateHz;
    return toneAmplitude * loudness(seconds) * Math.sin(2 * Math.PI * toneHz * seconds);
  });
}

const LOUDEST_SECONDS = 10;

function loudness(seconds: number): number {
  return 0.5 + 0.5 * Math.min(1, seconds / LOUDEST_SECONDS);
}

const GREY_STEP = 37;
const GREY_LEVELS = 200;
const DARKEST_GREY = 28;

/** Neighbouring pictures differ by much more than coding changes them. */
export function greyLevel(picture: number): number {
  return DARKEST_GREY + ((picture * GREY_STEP) % GREY_LEVELS);
}

function greyPictures(count: number): Uint8Array {
  const bytes = WIDTH * HEIGHT * 3;
  const frames = new Uint8Array(count * bytes);
  for (let picture = 0; picture < count; picture++) {
    frames.fill(greyLevel(picture), picture * bytes, (picture + 1) * bytes);
  }
  return frames;
}

/** Where the matrix lies in a track header box of version 0, counted from its type (ISO/IEC 14496-12, section 8.3.2). */
const MATRIX_OFFSET = 44;
const FIXED_POINT_ONE = 0x10000;

/** Writes a, b, c, d of the display matrix into the first track of an mp4 file. */
export function withDisplayMatrix(mp4: Uint8Array, [a, b, c, d]: readonly [number, number, number, number]): Buffer {
  const turned = Buffer.from(mp4);
  const matrix = turned.indexOf('tkhd') + MATRIX_OFFSET;
  for (const [index, value] of [a, b, 0, c, d, 0].entries())
    turned.writeInt32BE(value * FIXED_POINT_ONE, matrix + 4 * index);
  return turned;
}
