import {
  AV_DISPOSITION_ATTACHED_PIC,
  AV_NOPTS_VALUE,
  AV_OPT_TYPE_INT64,
  AV_PKT_FLAG_CORRUPT,
  AV_TIME_BASE,
  AVDISCARD_ALL,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVERROR_INVALIDDATA,
  AVIO_FLAG_READ,
  AVMEDIA_TYPE_AUDIO,
  AVMEDIA_TYPE_VIDEO,
  AVSEEK_FLAG_BACKWARD,
} from 'node-av/constants';
import { Codec, CodecContext, Dictionary, FormatContext, IOContext, Packet } from 'node-av/lib';
import './ffmpeg-log.ts';
import { requireStatus } from './ffmpeg-status.ts';
import { requireWholeBoxes } from './iso-boxes.ts';
import { MediaError } from './media-error.ts';
import { type MediaWindow, spanOf, WHOLE } from './media-window.ts';
import type { Sink } from './sink.ts';
import type { StoredMedia } from './stored-media.ts';
import { StreamDecoder } from './stream-decoder.ts';

/**
 * Containers that hold their media themselves. Playlists and the like (HLS, DASH, concat, image sequences) name other
 * files or addresses, and nobody may make us open those.
 */
const CONTAINERS =
  'mov,matroska,wav,w64,aiff,au,caf,flac,ogg,mp3,aac,ac3,eac3,amr,avi,flv,asf,mpegts,mpeg,mpegvideo,m4v,h264,hevc,gif';
/** How FFmpeg's name for mp4, QuickTime and their like begins. */
const ISO_CONTAINER = 'mov';
/** No protocol has this name: nothing but the bytes at hand is ever opened. */
const NO_PROTOCOL = 'none';
/** Containers in which FFmpeg seeks to a time exactly. In the others (mp3, mpegts) it guesses, so those are read from the start. */
const EXACT_SEEKING = new Set(['mov', 'matroska', 'ogg', 'flac', 'wav', 'w64', 'aiff', 'au', 'caf']);
/** Decoding begins this long before a window: codecs need some frames (Opus 80 ms, mp3 and AAC fewer) to find their state. */
const PREROLL_SECONDS = 1;
/** A larger picture than 8K (33 million pixels) is an attack on memory, not a clip. */
const MAX_PICTURE_PIXELS = 40_000_000n;
/** More streams than any honest clip holds; each costs memory. */
const MAX_STREAMS = 32;

export type StreamKind = 'audio' | 'video';

const KINDS = {
  audio: { mediaType: AVMEDIA_TYPE_AUDIO, missing: 'no_audio' },
  video: { mediaType: AVMEDIA_TYPE_VIDEO, missing: 'no_video' },
} as const;

/** A media file, opened for one pass over a window of it. Time 0 is where the window begins. */
export class MediaFile implements Disposable {
  readonly #format: FormatContext;
  readonly #io: IOContext;
  readonly #window: MediaWindow;
  readonly #decoders = new Map<number, StreamDecoder>();

  private constructor(format: FormatContext, io: IOContext, window: MediaWindow) {
    this.#format = format;
    this.#io = io;
    this.#window = window;
  }

  /** @throws MediaError `undecodable` when the file is empty or no media that can be read. */
  static open(media: StoredMedia, window: MediaWindow = WHOLE): MediaFile {
    if (media.size === 0) throw new MediaError('undecodable', 'the media is empty: give a whole media file');
    const file = MediaFile.#openAtStart(media, window);
    if (file.#seek()) return file;
    // A failed search may leave the reader anywhere.
    file[Symbol.dispose]();
    return MediaFile.#openAtStart(media, window);
  }

  static #openAtStart(media: StoredMedia, window: MediaWindow): MediaFile {
    const io = new IOContext();
    requireStatus(io.open2Sync(`file:${media.path}`, AVIO_FLAG_READ), 'it cannot be opened');
    const format = new FormatContext();
    format.allocContext();
    format.pb = io;
    const file = new MediaFile(format, io, window);
    using options = Dictionary.fromObject({
      format_whitelist: CONTAINERS,
      protocol_whitelist: NO_PROTOCOL,
      max_streams: MAX_STREAMS,
    });
    try {
      requireStatus(format.openInputSync('', null, options), 'it is in no container that can be read');
      if (format.iformat?.name?.startsWith(ISO_CONTAINER)) requireWholeBoxes(media);
      requireStatus(format.findStreamInfoSync(null), 'its streams cannot be read');
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    return file;
  }

  /**
   * Routes the best stream of a kind into sinks.
   * @throws MediaError `no_audio` or `no_video` when there is none, `undecodable` when no decoder takes it.
   */
  route(kind: StreamKind, sinks: readonly Sink[]): void {
    if (sinks.length === 0) return;
    const { mediaType, missing } = KINDS[kind];
    const stream = this.#format.streams[this.#format.findBestStream(mediaType)];
    if (!stream || stream.hasDisposition(AV_DISPOSITION_ATTACHED_PIC)) {
      throw new MediaError(missing, `the media has no ${kind} stream: give a file with one, or do not ask for it`);
    }
    const codec = Codec.findDecoder(stream.codecpar.codecId);
    if (!codec) throw new MediaError('undecodable', `no decoder reads the media's ${kind} stream`);
    const context = new CodecContext();
    context.allocContext3(codec);
    // One thread: several clips are decoded at once, in a process each.
    context.threadCount = 1;
    context.setOption('max_pixels', MAX_PICTURE_PIXELS, AV_OPT_TYPE_INT64);
    const decoder = new StreamDecoder(context, stream, sinks, spanOf(this.#window, this.#originSeconds()));
    this.#decoders.set(stream.index, decoder);
    requireStatus(context.parametersToContext(stream.codecpar), `its ${kind} stream cannot be read`);
    context.pktTimebase = stream.timeBase;
    requireStatus(context.open2Sync(codec), `its ${kind} stream cannot be decoded`);
  }

  /**
   * Decodes until every sink is full, the window ends or the media does.
   * @throws MediaError `undecodable` when the media is damaged or ends in the middle, `bad_window` when it ends before the
   *   window begins.
   */
  decode(): void {
    for (const stream of this.#format.streams) {
      if (!this.#decoders.has(stream.index)) stream.discard = AVDISCARD_ALL;
    }
    const decoders = [...this.#decoders.values()];
    this.#readPackets(decoders);
    const { startSeconds } = this.#window;
    if (startSeconds > 0 && decoders.every((decoder) => decoder.reachedSeconds <= 0)) {
      throw new MediaError('bad_window', `the media ends before ${startSeconds} s, where the window begins`);
    }
  }

  [Symbol.dispose](): void {
    for (const decoder of this.#decoders.values()) decoder.free();
    // FFmpeg must not free the input that is ours.
    this.#format.pb = null;
    this.#format.closeInputSync();
    this.#io.closepSync();
  }

  #readPackets(decoders: readonly StreamDecoder[]): void {
    using packet = new Packet();
    packet.alloc();
    while (decoders.some((decoder) => decoder.wanted)) {
      const status = this.#format.readFrameSync(packet);
      if (status === AVERROR_EAGAIN) continue;
      if (status === AVERROR_EOF) {
        for (const decoder of decoders) decoder.decode(null);
        return;
      }
      requireStatus(status, 'it ends in the middle or is damaged');
      if (packet.hasFlags(AV_PKT_FLAG_CORRUPT))
        requireStatus(AVERROR_INVALIDDATA, 'it ends in the middle or is damaged');
      this.#decoders.get(packet.streamIndex)?.decode(packet);
      packet.unref();
    }
  }

  /** Goes to shortly before the window, where that spares anything and can be done exactly. False: it failed. */
  #seek(): boolean {
    const seconds = this.#window.startSeconds - PREROLL_SECONDS;
    const container = this.#format.iformat?.name?.split(',')[0] ?? '';
    if (seconds <= 0 || !EXACT_SEEKING.has(container)) return true;
    const time = BigInt(Math.floor((this.#originSeconds() + seconds) * AV_TIME_BASE));
    return this.#format.seekFrameSync(-1, time, AVSEEK_FLAG_BACKWARD) >= 0;
  }

  #originSeconds(): number {
    const { startTime } = this.#format;
    return startTime === AV_NOPTS_VALUE ? 0 : Number(startTime) / AV_TIME_BASE;
  }
}
