import {
  FF_ENCODER_AAC,
  FF_ENCODER_LIBOPUS,
  FF_ENCODER_LIBVPX_VP8,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
} from 'node-av/constants';
import { H264_OPTIONS } from './h264-options.ts';
import { MediaError, requirePositive, requirePositiveInteger } from './media-error.ts';
import { SAMPLE_FORMS } from './sound-block.ts';
import { type AudioTrack, type VideoTrack, writeMedia } from './write-media.ts';

/** What `encodeClip` writes: a mono waveform and RGB frames that both begin at time 0. */
export interface Clip {
  /** Amplitude in [-1, 1], `[samples]`. */
  readonly waveform: Float32Array;
  readonly sampleRateHz: number;
  /** Interleaved RGB pixels, `[frames, height, width, 3]`. */
  readonly frames: Uint8Array;
  readonly frameRateHz: number;
  /** Even number of pixels (4:2:0 chroma). */
  readonly width: number;
  /** Even number of pixels (4:2:0 chroma). */
  readonly height: number;
  /** `mp4` (H.264 and AAC) unless given; `webm-*` hold VP8 or VP9 and Opus. */
  readonly form?: ClipForm;
  /** Leave out how long the last picture is shown. Readers of mp4 then drop it: only for files that were written so before. */
  readonly openEnded?: boolean;
  /** Constant rate factor: 0 (best) to 51 for H.264, 4 to 63 for VP8 and VP9; a good one for the form unless given. */
  readonly constantRateFactor?: number;
  /** Bits per second of the sound; 64,000 unless given. */
  readonly audioBitRate?: number;
}

export type ClipForm = 'mp4' | 'webm-vp8' | 'webm-vp9';

/**
 * An AAC tone in noise, sampled at 16 kHz, comes out 46 dB above the coding error at this rate; 48,000 leaves 31 dB.
 */
const DEFAULT_AUDIO_BIT_RATE = 64_000;
/** VP8 takes its rate factor as a bound below a bit rate; this one is never reached. */
const VP8_BIT_RATE = 10_000_000;

interface FormSettings {
  readonly container: string;
  readonly video: (constantRateFactor: number) => Pick<VideoTrack, 'encoder' | 'options' | 'bitRate'>;
  /** Visually clean at thumbnail sizes. */
  readonly constantRateFactor: number;
  readonly audio: Pick<AudioTrack, 'encoder' | 'form'>;
}

const OPUS = { encoder: FF_ENCODER_LIBOPUS, form: SAMPLE_FORMS.float } as const;

const FORMS: Readonly<Record<ClipForm, FormSettings>> = {
  // A 2 s clip of 96 x 96 pixels at 8 Hz takes about 30 kB.
  mp4: {
    container: 'mp4',
    video: (crf) => ({
      encoder: FF_ENCODER_LIBX264,
      options: { ...H264_OPTIONS, crf: String(crf) },
    }),
    constantRateFactor: 20,
    audio: { encoder: FF_ENCODER_AAC, form: SAMPLE_FORMS.planarFloat },
  },
  'webm-vp8': {
    container: 'webm',
    video: (crf) => ({
      encoder: FF_ENCODER_LIBVPX_VP8,
      options: { crf: String(crf), deadline: 'good', 'cpu-used': '1' },
      bitRate: VP8_BIT_RATE,
    }),
    constantRateFactor: 10,
    audio: OPUS,
  },
  'webm-vp9': {
    container: 'webm',
    video: (crf) => ({
      encoder: FF_ENCODER_LIBVPX_VP9,
      options: { crf: String(crf), deadline: 'good', 'cpu-used': '2' },
      bitRate: 0,
    }),
    constantRateFactor: 24,
    audio: OPUS,
  },
};

/**
 * Writes a clip as mp4 (H.264 4:2:0 by libx264, AAC mono by FFmpeg's own encoder) or WebM (libvpx, libopus).
 *
 * One thread, bit-exact flags, no creation time: equal input gives equal bytes on one machine; H.264 on every x86 one.
 *
 * @throws MediaError `bad_specification` when sizes, rates and array lengths disagree.
 */
export async function encodeClip(clip: Clip): Promise<Uint8Array> {
  validate(clip);
  const { waveform, sampleRateHz, frames, frameRateHz, width, height, form = 'mp4', openEnded = false } = clip;
  const settings = FORMS[form];
  return writeMedia({
    container: settings.container,
    video: {
      ...settings.video(clip.constantRateFactor ?? settings.constantRateFactor),
      frames,
      frameRateHz,
      width,
      height,
      openEnded,
    },
    audio: {
      ...settings.audio,
      bitRate: clip.audioBitRate ?? DEFAULT_AUDIO_BIT_RATE,
      waveform,
      sampleRateHz,
      channels: 1,
    },
  });
}

function validate(clip: Clip): void {
  requirePositiveInteger('sampleRateHz', clip.sampleRateHz);
  requirePositive('frameRateHz', clip.frameRateHz);
  for (const side of ['width', 'height'] as const) {
    requirePositiveInteger(side, clip[side]);
    if (clip[side] % 2 !== 0) {
      throw new MediaError('bad_specification', `${side} must be even for 4:2:0 video, but is ${clip[side]}`);
    }
  }
  const frameBytes = clip.width * clip.height * 3;
  if (clip.frames.length === 0 || clip.frames.length % frameBytes !== 0) {
    throw new MediaError(
      'bad_specification',
      `frames must hold a multiple of ${frameBytes} bytes (${clip.width} x ${clip.height} x 3), but holds ${clip.frames.length}`,
    );
  }
  if (clip.waveform.length === 0) throw new MediaError('bad_specification', 'waveform must hold at least one sample');
}
