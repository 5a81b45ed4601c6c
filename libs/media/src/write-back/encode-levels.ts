import {
  AV_PIX_FMT_BGR0,
  FF_ENCODER_AAC,
  FF_ENCODER_FFV1,
  FF_ENCODER_FLAC,
  FF_ENCODER_LIBMP3LAME,
  FF_ENCODER_LIBOPUS,
  FF_ENCODER_LIBVPX_VP8,
  FF_ENCODER_LIBVPX_VP9,
  FF_ENCODER_LIBX264,
} from 'node-av/constants';
import { H264_OPTIONS } from '../h264-options.ts';
import { MediaError, requirePositive, requirePositiveInteger } from '../media-error.ts';
import { SAMPLE_FORMS } from '../sound-block.ts';
import { type AudioTrack, type VideoTrack, writeMedia } from '../write-media.ts';
import { GRIDS } from './quantise-inward.ts';
import {
  type Coding,
  type Container,
  containerOf,
  type PictureCodec,
  type SoundCodec,
  type WriteForm,
  writeProblem,
} from './write-form.ts';

/** Sound as a file holds it. */
export interface SoundLevels {
  /** 16-bit PCM, `[samples]`. */
  readonly levels: Int32Array;
  readonly sampleRateHz: number;
}

/** Pictures as a file holds them. */
export interface PictureLevels {
  /** 8-bit RGB, `[frames, 3, height, width]`. */
  readonly levels: Int32Array;
  readonly frameRateHz: number;
  readonly height: number;
  readonly width: number;
}

/** A clip of the size and rate that a victim is given. */
export interface ClipLevels {
  readonly pictures: PictureLevels | undefined;
  readonly sound: SoundLevels | undefined;
}

export interface WrittenFile {
  readonly bytes: Uint8Array;
  readonly container: Container;
}

const PICTURE_ENCODERS: Readonly<Record<PictureCodec, Pick<VideoTrack, 'encoder' | 'options' | 'pixelFormat'>>> = {
  ffv1: { encoder: FF_ENCODER_FFV1, options: { level: '3' }, pixelFormat: AV_PIX_FMT_BGR0 },
  h264: { encoder: FF_ENCODER_LIBX264, options: H264_OPTIONS },
  vp8: { encoder: FF_ENCODER_LIBVPX_VP8, options: { deadline: 'good', 'cpu-used': '1' } },
  vp9: { encoder: FF_ENCODER_LIBVPX_VP9, options: { deadline: 'good', 'cpu-used': '2' } },
};

const SOUND_ENCODERS: Readonly<Record<SoundCodec, Pick<AudioTrack, 'encoder' | 'form'>>> = {
  flac: { encoder: FF_ENCODER_FLAC, form: SAMPLE_FORMS.signed16 },
  aac: { encoder: FF_ENCODER_AAC, form: SAMPLE_FORMS.planarFloat },
  mp3: { encoder: FF_ENCODER_LIBMP3LAME, form: SAMPLE_FORMS.planarFloat },
  opus: { encoder: FF_ENCODER_LIBOPUS, form: SAMPLE_FORMS.float },
};

const MUXERS: Readonly<Record<Container, string>> = { mkv: 'matroska', mp4: 'mp4', webm: 'webm' };

/**
 * Writes a clip's levels as a media file. Decoded to inputs of the same size and rate, a lossless file gives level / steps back bit
 * for bit (float32 sound, uint8 pixels). A lossy one goes through 4:2:0 chroma and the named codecs at the named bit rates, as their
 * encoders keep them: a few small pictures give a rate control little to work with, so the file's size tells what was really used.
 *
 * One thread, bit-exact flags: equal levels give equal bytes.
 *
 * @throws MediaError `bad_specification` when the clip is empty, its sizes disagree, or the form cannot hold it.
 */
export async function encodeLevels({ pictures, sound }: ClipLevels, form: WriteForm): Promise<WrittenFile> {
  const shape = { pictures, sampleRateHz: sound?.sampleRateHz };
  const problem =
    pictures === undefined && sound === undefined ? 'a clip needs pictures or sound' : writeProblem(shape, form);
  if (problem !== undefined) throw new MediaError('bad_specification', problem);
  const container = containerOf(shape, form);
  const bytes = await writeMedia({
    container: MUXERS[container],
    ...(pictures === undefined ? {} : { video: videoTrack(pictures, form.pictures) }),
    ...(sound === undefined ? {} : { audio: audioTrack(sound, form.sound) }),
  });
  return { bytes, container };
}

function audioTrack({ levels, sampleRateHz }: SoundLevels, { codec, bitRate }: Coding<SoundCodec>): AudioTrack {
  requirePositiveInteger('sampleRateHz', sampleRateHz);
  if (levels.length === 0) throw new MediaError('bad_specification', 'the sound must hold at least one sample');
  const { steps } = GRIDS.waveform;
  return {
    ...SOUND_ENCODERS[codec],
    ...(bitRate === undefined ? {} : { bitRate }),
    waveform: Float32Array.from(levels, (level) => level / steps),
    sampleRateHz,
    channels: 1,
  };
}

function videoTrack(pictures: PictureLevels, { codec, bitRate }: Coding<PictureCodec>): VideoTrack {
  const { frameRateHz, height, width } = pictures;
  requirePositive('frameRateHz', frameRateHz);
  return {
    ...PICTURE_ENCODERS[codec],
    ...(bitRate === undefined ? {} : { bitRate }),
    frames: interleaved(pictures),
    frameRateHz,
    width,
    height,
  };
}

const CHANNELS = 3;

/** `[frames, 3, height, width]` as `[frames, height, width, 3]`. */
function interleaved({ levels, height, width }: PictureLevels): Uint8Array {
  const pixels = height * width;
  if (levels.length === 0 || levels.length % (CHANNELS * pixels) !== 0) {
    throw new MediaError(
      'bad_specification',
      `pictures of ${width} x ${height} hold a multiple of ${CHANNELS * pixels} values, but got ${levels.length}`,
    );
  }
  const frames = new Uint8Array(levels.length);
  for (let to = 0; to < frames.length; to++) {
    const channel = to % CHANNELS;
    const pixel = (to - channel) / CHANNELS;
    const frame = Math.floor(pixel / pixels);
    frames[to] = levels[(frame * CHANNELS + channel) * pixels + (pixel % pixels)] ?? 0;
  }
  return frames;
}
