import { MediaError } from '../media-error.ts';

/** Containers, by the ending of their files. */
export type Container = 'mkv' | 'mp4' | 'webm';

/** A codec that adversarial clips are written with. */
interface CodecRow {
  /** Its files give back what was written, and it takes no bit rate. */
  readonly isLossless: boolean;
  /** What may hold it, the usual one first. */
  readonly containers: readonly Container[];
}

interface SoundCodecRow extends CodecRow {
  /** The only rates that it takes; undefined: any. */
  readonly sampleRatesHz: readonly number[] | undefined;
}

export type PictureCodec = 'ffv1' | 'h264' | 'vp8' | 'vp9';
export type SoundCodec = 'flac' | 'aac' | 'mp3' | 'opus';

const PICTURE_CODECS: Readonly<Record<PictureCodec, CodecRow>> = {
  ffv1: { isLossless: true, containers: ['mkv'] },
  h264: { isLossless: false, containers: ['mp4', 'mkv'] },
  vp8: { isLossless: false, containers: ['webm', 'mkv'] },
  vp9: { isLossless: false, containers: ['webm', 'mkv'] },
};

const MP3_RATES_HZ = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000];

const SOUND_CODECS: Readonly<Record<SoundCodec, SoundCodecRow>> = {
  flac: { isLossless: true, containers: ['mkv'], sampleRatesHz: undefined },
  aac: {
    isLossless: false,
    containers: ['mp4', 'mkv'],
    sampleRatesHz: [7350, ...MP3_RATES_HZ, 64_000, 88_200, 96_000],
  },
  mp3: { isLossless: false, containers: ['mp4', 'mkv'], sampleRatesHz: MP3_RATES_HZ },
  opus: { isLossless: false, containers: ['webm', 'mkv'], sampleRatesHz: [8000, 12_000, 16_000, 24_000, 48_000] },
};

/** A codec and, where it is lossy, bits per second. */
export interface Coding<Codec> {
  readonly codec: Codec;
  readonly bitRate: number | undefined;
}

/** How a clip is written. */
export interface WriteForm {
  /** In one spelling: "lossless", "h264:60k,aac:24k". */
  readonly name: string;
  readonly pictures: Coding<PictureCodec>;
  readonly sound: Coding<SoundCodec>;
}

/** What a form without lossy codecs is called. */
export const LOSSLESS = 'lossless';

const BIT_RATE = /^(\d+(?:\.\d+)?)([kM]?)$/;
const PREFIXES: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6 };
/** No codec works below the one; above the other nothing of a clip is lost. */
const BIT_RATES = { least: 1_000, most: 100_000_000 };

const isPictureCodec = (name: string): name is PictureCodec => Object.hasOwn(PICTURE_CODECS, name);
const isSoundCodec = (name: string): name is SoundCodec => Object.hasOwn(SOUND_CODECS, name);

/**
 * Reads a form as people write it: "lossless", or codecs with bits per second, "h264:60k,aac:24k", "vp9:60k,opus:24k", "mp3:32k".
 * Pictures or sound that it does not name are written without losses.
 * @throws MediaError `bad_specification` that says what is wrong with it, and what it may be.
 */
export function parseWriteForm(text: string): WriteForm {
  let pictures: Coding<PictureCodec> | undefined;
  let sound: Coding<SoundCodec> | undefined;
  for (const part of text.trim() === LOSSLESS ? [] : text.split(',')) {
    const [codec = '', ...rates] = part.trim().split(':');
    if (isPictureCodec(codec)) {
      if (pictures !== undefined) throw refused(`'${text}' names two codecs for pictures; give one`);
      pictures = { codec, bitRate: readBitRate(codec, PICTURE_CODECS[codec], rates.join(':')) };
    } else if (isSoundCodec(codec)) {
      if (sound !== undefined) throw refused(`'${text}' names two codecs for sound; give one`);
      sound = { codec, bitRate: readBitRate(codec, SOUND_CODECS[codec], rates.join(':')) };
    } else {
      const known = [...Object.keys(PICTURE_CODECS), ...Object.keys(SOUND_CODECS)].join(', ');
      throw refused(
        `'${codec}' is no codec that clips are written with; give ${LOSSLESS}, or some of ${known}: h264:60k,aac:24k`,
      );
    }
  }
  const lossy = [pictures, sound].flatMap((one) =>
    one?.bitRate === undefined ? [] : [`${one.codec}:${bitRateText(one.bitRate)}`],
  );
  return {
    name: lossy.length === 0 ? LOSSLESS : lossy.join(','),
    pictures: pictures ?? { codec: 'ffv1', bitRate: undefined },
    sound: sound ?? { codec: 'flac', bitRate: undefined },
  };
}

function readBitRate(codec: string, { isLossless }: CodecRow, text: string): number | undefined {
  if (isLossless) {
    if (text === '') return undefined;
    throw refused(`${codec} is lossless and takes no bit rate, but '${text}' was given; leave it out`);
  }
  const [, digits = '', prefix = ''] = BIT_RATE.exec(text) ?? [];
  const bitRate = digits === '' ? Number.NaN : Math.round(Number(digits) * (PREFIXES[prefix] ?? 1));
  if (bitRate >= BIT_RATES.least && bitRate <= BIT_RATES.most) return bitRate;
  throw refused(`${codec} has the bit rate '${text}'; give bits per second from 1k to 100M: ${codec}:48k`);
}

const bitRateText = (bitRate: number): string => (bitRate % 1000 === 0 ? `${bitRate / 1000}k` : String(bitRate));

const refused = (message: string): MediaError => new MediaError('bad_specification', message);

/** Size and rate of what is written; what a clip lacks is undefined. */
export interface ClipShape {
  readonly pictures: { readonly height: number; readonly width: number } | undefined;
  readonly sampleRateHz: number | undefined;
}

/** Why a clip cannot be written in a form, with a remedy; undefined: it can. */
export function writeProblem({ pictures, sampleRateHz }: ClipShape, form: WriteForm): string | undefined {
  const { codec } = form.pictures;
  if (pictures !== undefined && !PICTURE_CODECS[codec].isLossless) {
    const { width, height } = pictures;
    if (width % 2 !== 0 || height % 2 !== 0) {
      return `${codec} halves the resolution of colour and takes even sides, not ${width} x ${height}; write pictures as ffv1`;
    }
  }
  const rates = SOUND_CODECS[form.sound.codec].sampleRatesHz;
  if (sampleRateHz !== undefined && rates !== undefined && !rates.includes(sampleRateHz)) {
    return `${form.sound.codec} takes ${rates.join(', ')} Hz, not ${sampleRateHz} Hz; write sound as flac, or with another codec`;
  }
  return undefined;
}

/** The container of a clip: the first that holds its codecs. */
export function containerOf({ pictures, sampleRateHz }: ClipShape, form: WriteForm): Container {
  const lists = [
    ...(pictures === undefined ? [] : [PICTURE_CODECS[form.pictures.codec].containers]),
    ...(sampleRateHz === undefined ? [] : [SOUND_CODECS[form.sound.codec].containers]),
  ];
  return lists[0]?.find((one) => lists.every((containers) => containers.includes(one))) ?? 'mkv';
}
