import {
  AV_CHANNEL_LAYOUT_5POINT1,
  AV_CHANNEL_LAYOUT_MONO,
  AV_CHANNEL_LAYOUT_STEREO,
  AV_SAMPLE_FMT_FLT,
  AV_SAMPLE_FMT_FLTP,
  AV_SAMPLE_FMT_S16,
  AV_SAMPLE_FMT_U8,
  type AVSampleFormat,
} from 'node-av/constants';

export const CHANNEL_LAYOUTS = {
  1: AV_CHANNEL_LAYOUT_MONO,
  2: AV_CHANNEL_LAYOUT_STEREO,
  6: AV_CHANNEL_LAYOUT_5POINT1,
} as const;
export type ChannelCount = keyof typeof CHANNEL_LAYOUTS;

/** How an encoder takes samples. */
export interface SampleForm {
  readonly format: AVSampleFormat;
  readonly bytes: number;
  /** Each channel by itself, rather than sample by sample. */
  readonly planar: boolean;
  readonly write: (target: Buffer, amplitude: number, offset: number) => void;
}

/** As FFmpeg reads it: level / 32768, so that 1 itself has no level. */
const SIGNED_16_STEPS = 32_768;
const MAX_SIGNED_16 = 32_767;
const MIDDLE_UNSIGNED_8 = 128;
const MAX_UNSIGNED_8 = 127;

const writeFloat = (target: Buffer, amplitude: number, offset: number): void => {
  target.writeFloatLE(amplitude, offset);
};

export const SAMPLE_FORMS = {
  float: { format: AV_SAMPLE_FMT_FLT, bytes: 4, planar: false, write: writeFloat },
  planarFloat: { format: AV_SAMPLE_FMT_FLTP, bytes: 4, planar: true, write: writeFloat },
  signed16: {
    format: AV_SAMPLE_FMT_S16,
    bytes: 2,
    planar: false,
    write: (target, amplitude, offset) => {
      target.writeInt16LE(Math.min(MAX_SIGNED_16, Math.round(amplitude * SIGNED_16_STEPS)), offset);
    },
  },
  unsigned8: {
    format: AV_SAMPLE_FMT_U8,
    bytes: 1,
    planar: false,
    write: (target, amplitude, offset) => {
      target.writeUInt8(Math.round(MIDDLE_UNSIGNED_8 + amplitude * MAX_UNSIGNED_8), offset);
    },
  },
} as const satisfies Readonly<Record<string, SampleForm>>;

/** The same sound in every channel, in the form an encoder takes. */
export function soundBlock(block: Float32Array, channels: ChannelCount, form: SampleForm): Buffer {
  const { bytes, planar, write } = form;
  const target = Buffer.alloc(block.length * channels * bytes);
  for (let channel = 0; channel < channels; channel++) {
    for (let index = 0; index < block.length; index++) {
      const at = planar ? channel * block.length + index : index * channels + channel;
      write(target, block[index] ?? 0, at * bytes);
    }
  }
  return target;
}
