import { FramesSink } from './frames-sink.ts';
import { type InputSpecification, validateSpecification } from './input-specification.ts';
import { MediaError } from './media-error.ts';
import { MediaFile } from './media-file.ts';
import { type MediaWindow, validateWindow, WHOLE } from './media-window.ts';
import { StoredMedia } from './stored-media.ts';
import { WaveformSink } from './waveform-sink.ts';

/** An extracted input: float32 `[samples]` for a waveform, uint8 `[frames, 3, height, width]` for frames. */
export interface DecodedInput {
  readonly dims: readonly number[];
  readonly data: Float32Array | Uint8Array;
}

/** Longest sound that `decodeAudioFile` returns; what follows is cut. */
const MAX_AUDIO_SECONDS = 3600;
const DEFAULT_SAMPLE_RATE_HZ = 16_000;

/** A media file: its bytes, or where it lies. */
export type Media = Uint8Array | { readonly path: string };

/**
 * Decodes one media file (anything FFmpeg reads that holds its media itself) to the inputs asked for, in their order.
 *
 * All inputs share one time line whose 0 is where the window begins, counted from where the file's first stream begins, by
 * time stamps: an encoder's priming samples are gone, and a stream that begins later is padded in front.
 * - waveform: mixed down to mono, resampled by libswresample, clipped to [-1, 1], zero-padded at the end or cut.
 * - frames: the frame shown at t_k = (k + 0.5) / frameRateHz, scaled by libswscale to height x width without regard to
 *   the aspect ratio, turned as the file says; the first frame stands in for times before it and the last one for times
 *   after it.
 *
 * Reading stops as soon as every input is complete. Equal bytes give equal results, bit for bit, on one machine.
 *
 * Works on the calling thread, some milliseconds for a clip. Bytes are kept in a temporary file meanwhile.
 *
 * @throws MediaError `undecodable`, `no_audio` or `no_video` for the media, `bad_window` when it ends before the window begins,
 *   `bad_specification` for what is asked.
 */
export async function decodeMedia(
  media: Media,
  specifications: readonly InputSpecification[],
  window: MediaWindow = WHOLE,
): Promise<DecodedInput[]> {
  for (const specification of specifications) validateSpecification(specification);
  validateWindow(window);
  using stored = StoredMedia.from(media);
  using file = MediaFile.open(stored, window);
  using sinks = new DisposableStack();
  const inputs = specifications.map((specification) => openInput(specification, window, sinks));
  file.route(
    'audio',
    inputs.map((input) => input.sink).filter((sink) => sink instanceof WaveformSink),
  );
  file.route(
    'video',
    inputs.map((input) => input.sink).filter((sink) => sink instanceof FramesSink),
  );
  file.decode();
  for (const { sink } of inputs) throwIfEmpty(sink);
  return inputs.map((input) => input.finish());
}

/**
 * Decodes a file's sound to mono, whatever its length (at most an hour), resampled and clipped to [-1, 1].
 *
 * @returns float32 `[samples]`
 * @throws MediaError `undecodable` or `no_audio` for the file, `bad_specification` for the rate.
 */
export async function decodeAudioFile(
  media: Media,
  sampleRateHz: number = DEFAULT_SAMPLE_RATE_HZ,
): Promise<Float32Array> {
  const samples = Math.ceil(MAX_AUDIO_SECONDS * sampleRateHz);
  validateSpecification({ kind: 'waveform', sampleRateHz, samples });
  using stored = StoredMedia.from(media);
  using file = MediaFile.open(stored);
  using sinks = new DisposableStack();
  const sink = sinks.adopt(new WaveformSink(sampleRateHz, samples), (waveform) => waveform.free());
  file.route('audio', [sink]);
  file.decode();
  throwIfEmpty(sink);
  return sink.finish();
}

interface Input {
  readonly sink: WaveformSink | FramesSink;
  finish(): DecodedInput;
}

function openInput(specification: InputSpecification, window: MediaWindow, sinks: DisposableStack): Input {
  if (specification.kind === 'frames') {
    const { frames, height, width } = specification;
    const sink = sinks.adopt(new FramesSink(specification), (opened) => opened.free());
    return { sink, finish: () => ({ dims: [frames, 3, height, width], data: sink.finish() }) };
  }
  const { sampleRateHz, samples } = specification;
  const within = Math.round((window.durationSeconds ?? Number.POSITIVE_INFINITY) * sampleRateHz);
  const sink = sinks.adopt(new WaveformSink(sampleRateHz, Math.min(samples, within)), (opened) => opened.free());
  return { sink, finish: () => ({ dims: [samples], data: padded(sink.finish(), samples) }) };
}

function padded(waveform: Float32Array, samples: number): Float32Array {
  const whole = new Float32Array(samples);
  whole.set(waveform);
  return whole;
}

function throwIfEmpty(sink: WaveformSink | FramesSink): void {
  if (!sink.empty) return;
  const [reason, kind] =
    sink instanceof WaveformSink ? (['no_audio', 'audio'] as const) : (['no_video', 'video'] as const);
  throw new MediaError(reason, `nothing in the media's ${kind} stream decodes: give a whole, undamaged file`);
}
