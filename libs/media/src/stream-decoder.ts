import { AV_NOPTS_VALUE, AVERROR_EAGAIN, AVERROR_ENOMEM, AVERROR_EOF } from 'node-av/constants';
import { type CodecContext, Frame, type Packet, type Stream } from 'node-av/lib';
import { requireStatus } from './ffmpeg-status.ts';
import type { Span } from './media-window.ts';
import type { Sink } from './sink.ts';

/** For raw streams that state no frame rate. FFmpeg assumes the same. */
const ASSUMED_FRAME_RATE_HZ = 25;

/** Decodes one stream's packets, puts its frames on the media's time line and hands them to sinks. */
export class StreamDecoder {
  readonly #context: CodecContext;
  readonly #stream: Stream;
  readonly #sinks: readonly Sink[];
  readonly #span: Span;
  readonly #frame = new Frame();
  #nextSeconds = 0;
  #decodedAny = false;
  /** A frame at or behind the end of the span was seen. */
  #past = false;

  /** @param span what of the stream's own time the sinks get; its beginning is their time 0 */
  constructor(context: CodecContext, stream: Stream, sinks: readonly Sink[], span: Span) {
    this.#context = context;
    this.#stream = stream;
    this.#sinks = sinks;
    this.#span = span;
    this.#frame.alloc();
  }

  /** Whether further packets can change any result. */
  get wanted(): boolean {
    return !this.#past && this.#sinks.some((sink) => !sink.full);
  }

  /** Where the last frame ended, in the sinks' time; 0 or less when everything came before their beginning. */
  get reachedSeconds(): number {
    return this.#nextSeconds;
  }

  /**
   * Decodes a packet, or with null what the decoder still holds, on the calling thread: to go to another one and back costs
   * more than a frame of a small clip. Whoever decodes hostile media does so in a process that somebody else may kill.
   * @throws MediaError `undecodable` for a damaged packet. Packets before the first frame are excused: a stream that was
   *   cut out of a longer one begins with packets that lean on missing ones.
   */
  decode(packet: Packet | null): void {
    if (!this.wanted) return;
    const sent = this.#context.sendPacketSync(packet);
    if (sent < 0 && sent !== AVERROR_EAGAIN && sent !== AVERROR_EOF) this.#damaged(sent);
    for (;;) {
      const status = this.#context.receiveFrameSync(this.#frame);
      if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return;
      if (status < 0) {
        this.#damaged(status);
        return;
      }
      this.#deliver();
    }
  }

  free(): void {
    this.#frame.free();
    this.#context.freeContext();
  }

  #deliver(): void {
    const frame = this.#frame;
    const stamp = frame.bestEffortTimestamp;
    const seconds =
      stamp === AV_NOPTS_VALUE
        ? this.#nextSeconds
        : Number(stamp) * this.#stream.timeBase.toDouble() - this.#span.startSeconds;
    this.#nextSeconds = seconds + this.#lastsSeconds();
    this.#decodedAny = true;
    this.#past = seconds >= this.#span.endSeconds - this.#span.startSeconds;
    if (!this.#past) for (const sink of this.#sinks) if (!sink.full) sink.push(frame, seconds);
    frame.unref();
  }

  #lastsSeconds(): number {
    if (this.#frame.sampleRate > 0) return this.#frame.nbSamples / this.#frame.sampleRate;
    const rate = this.#stream.avgFrameRate;
    return rate.num > 0 ? rate.den / rate.num : 1 / ASSUMED_FRAME_RATE_HZ;
  }

  #damaged(status: number): void {
    if (this.#decodedAny || status === AVERROR_ENOMEM) requireStatus(status, 'it is damaged');
  }
}
