import {
  AV_CHANNEL_LAYOUT_MONO,
  AV_CHANNEL_ORDER_NATIVE,
  AV_OPT_TYPE_DOUBLE,
  AV_SAMPLE_FMT_FLT,
  AV_SAMPLE_FMT_U8,
  AV_SAMPLE_FMT_U8P,
  type AVSampleFormat,
} from 'node-av/constants';
import { avGetBytesPerSample, avSampleFmtIsPlanar, type Frame, SoftwareResampleContext } from 'node-av/lib';
import { requireStatus } from './ffmpeg-status.ts';
import type { Sink } from './sink.ts';

/** Gaps and overlaps up to this are the container's rounding (Matroska rounds to 1 ms), not silence; except at the beginning. */
const TOLERATED_GAP_SECONDS = 0.02;
const SILENCE_BLOCK_SAMPLES = 16_384;
const UNSIGNED_SILENCE = 0x80;
const BYTES_PER_FLOAT = 4;
const FIRST_BLOCK_SAMPLES = 65_536;

/** Decoded sound of one format; a stream may change its format on the way. */
interface Source {
  readonly resampler: SoftwareResampleContext;
  readonly format: AVSampleFormat;
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly layoutMask: bigint;
  readonly startSeconds: number;
  /** Samples taken since `startSeconds`, silence included. */
  taken: number;
}

/** Mixes down to mono and resamples (libswresample) into at most `limit` samples, from time 0 on. */
export class WaveformSink implements Sink {
  readonly #sampleRateHz: number;
  readonly #limit: number;
  #samples: Float32Array;
  #length = 0;
  #source: Source | undefined;
  #empty = true;

  constructor(sampleRateHz: number, limit: number) {
    this.#sampleRateHz = sampleRateHz;
    this.#limit = limit;
    this.#samples = new Float32Array(Math.min(limit, FIRST_BLOCK_SAMPLES));
  }

  get full(): boolean {
    return this.#length >= this.#limit;
  }

  get empty(): boolean {
    return this.#empty;
  }

  push(frame: Frame, seconds: number): void {
    if (this.full || frame.nbSamples === 0) return;
    this.#empty = false;
    const source = this.#sourceFor(frame, seconds);
    const gap = seconds - source.startSeconds - source.taken / source.sampleRateHz;
    const isGap = source.taken === 0 || Math.abs(gap) > TOLERATED_GAP_SECONDS;
    const gapSamples = isGap ? Math.round(gap * source.sampleRateHz) : 0;
    if (gapSamples > 0) this.#insertSilence(source, gapSamples);
    const overlap = Math.min(frame.nbSamples, Math.max(0, -gapSamples));
    const early = Math.min(frame.nbSamples - overlap, samplesBeforeStart(source));
    source.taken += early;
    const samples = frame.nbSamples - overlap - early;
    if (samples === 0) return;
    this.#convert(source, samplesAfter(frame, overlap + early), samples);
    source.taken += samples;
  }

  /** Ends the sound and returns all of it, at most `limit` samples; amplitudes are clipped to [-1, 1]. */
  finish(): Float32Array {
    this.#flush();
    const samples = this.#samples.subarray(0, this.#length);
    for (let index = 0; index < samples.length; index++) {
      samples[index] = Math.max(-1, Math.min(1, samples[index] ?? 0)) || 0;
    }
    return samples;
  }

  free(): void {
    this.#source?.resampler.free();
    this.#source = undefined;
  }

  #sourceFor(frame: Frame, seconds: number): Source {
    const current = this.#source;
    const { sampleRate, channelLayout } = frame;
    if (
      current?.format === frame.format &&
      current.sampleRateHz === sampleRate &&
      current.channels === channelLayout.nbChannels &&
      current.layoutMask === channelLayout.mask
    ) {
      return current;
    }
    this.#flush();
    this.free();
    this.#source = {
      resampler: openResampler(frame, this.#sampleRateHz),
      format: frame.format as AVSampleFormat,
      sampleRateHz: sampleRate,
      channels: channelLayout.nbChannels,
      layoutMask: channelLayout.mask,
      // What is heard before time 0 counts samples without giving any, so that time stamps are trusted only once.
      startSeconds: current === undefined && seconds < 0 ? seconds : this.#length / this.#sampleRateHz,
      taken: 0,
    };
    return this.#source;
  }

  #insertSilence(source: Source, samples: number): void {
    const early = Math.min(samples, samplesBeforeStart(source));
    const silence = silentPlanes(source);
    for (let left = samples - early; left > 0 && !this.full; left -= SILENCE_BLOCK_SAMPLES) {
      this.#convert(source, silence, Math.min(left, SILENCE_BLOCK_SAMPLES));
    }
    source.taken += samples;
  }

  #flush(): void {
    if (this.#source && !this.full) this.#convert(this.#source, null, 0);
  }

  #convert(source: Source, planes: Buffer[] | null, samples: number): void {
    const capacity = source.resampler.getOutSamples(samples);
    if (capacity <= 0) return;
    const block = Buffer.alloc(capacity * BYTES_PER_FLOAT);
    const produced = source.resampler.convertSync([block], capacity, planes, samples);
    requireStatus(produced, 'its sound cannot be resampled');
    const wanted = Math.min(produced, this.#limit - this.#length);
    this.#reserve(this.#length + wanted);
    this.#samples.set(new Float32Array(block.buffer, block.byteOffset, wanted), this.#length);
    this.#length += wanted;
  }

  #reserve(length: number): void {
    if (length <= this.#samples.length) return;
    const grown = new Float32Array(Math.min(this.#limit, Math.max(length, 2 * this.#samples.length)));
    grown.set(this.#samples);
    this.#samples = grown;
  }
}

/** How many of the next samples come before time 0. */
function samplesBeforeStart({ startSeconds, sampleRateHz, taken }: Source): number {
  return Math.max(0, Math.round(-startSeconds * sampleRateHz) - taken);
}

/** The frame's planes without their first `skipped` samples. */
function samplesAfter(frame: Frame, skipped: number): Buffer[] {
  const planes = frame.extendedData ?? frame.data ?? [];
  if (skipped === 0) return planes;
  const format = frame.format as AVSampleFormat;
  const valuesPerSample = avSampleFmtIsPlanar(format) ? 1 : frame.channelLayout.nbChannels;
  return planes.map((plane) => plane.subarray(skipped * valuesPerSample * avGetBytesPerSample(format)));
}

function silentPlanes({ format, channels }: Source): Buffer[] {
  const planar = avSampleFmtIsPlanar(format);
  const bytes = SILENCE_BLOCK_SAMPLES * avGetBytesPerSample(format) * (planar ? 1 : channels);
  const silence = format === AV_SAMPLE_FMT_U8 || format === AV_SAMPLE_FMT_U8P ? UNSIGNED_SILENCE : 0;
  return Array.from({ length: planar ? channels : 1 }, () => Buffer.alloc(bytes, silence));
}

function openResampler(frame: Frame, sampleRateHz: number): SoftwareResampleContext {
  const resampler = new SoftwareResampleContext();
  const { channelLayout } = frame;
  requireStatus(
    resampler.allocSetOpts2(
      AV_CHANNEL_LAYOUT_MONO,
      AV_SAMPLE_FMT_FLT,
      sampleRateHz,
      channelLayout,
      frame.format as AVSampleFormat,
      frame.sampleRate,
    ),
    'its sound is in no format that can be resampled',
  );
  // Float output is not normalised otherwise: equal left and right would come out 3 dB too loud.
  resampler.setOption('rematrix_maxval', 1, AV_OPT_TYPE_DOUBLE);
  if (channelLayout.order !== AV_CHANNEL_ORDER_NATIVE) {
    // Channels of unknown position: their mean.
    const mean = new Array<number>(channelLayout.nbChannels).fill(1 / channelLayout.nbChannels);
    requireStatus(resampler.setMatrix(mean, channelLayout.nbChannels), 'its channels cannot be mixed down');
  }
  requireStatus(resampler.init(), 'its sound is in no format that can be resampled');
  return resampler;
}
