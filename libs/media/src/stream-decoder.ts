import { AV_NOPTS_VALUE, AVERROR_EAGAIN, AVERROR_ENOMEM, AVERROR_EOF } from 'node-av/constants';
import { type CodecContext, Frame, type Packet, type Stream } from 'node-av/lib';
import { requireStatus } from './ffmpeg-status.ts';
import type { Sink } from './sink.ts';

/** For raw streams that state no frame rate. FFmpeg assumes the same. */
const ASSUMED_FRAME_RATE_HZ = 25;

/** Decodes one stream's packets, puts its frames on the media's time line and hands them to sinks. */
export class StreamDecoder {
  readonly #context: CodecContext;
  readonly #stream: Stream;
  readonly #sinks: readonly Sink[];
  readonly #originSeconds: number;
  readonly #frame = new Frame();
  #nextSeconds = 0;
  #decodedAny = false;

  /** @param originSeconds the stream's time that is 0 on the media's time line */
  constructor(context: CodecContext, stream: Stream, sinks: readonly Sink[], originSeconds: number) {
    this.#context = context;
    this.#stream = stream;
    this.#sinks = sinks;
    this.#originSeconds = originSeconds;
    this.#frame.alloc();
  }

  /** Whether further packets can change any result. */
  get wanted(): boolean {
    return this.#sinks.some((sink) => !sink.full);
  }

  /**
   * Decodes a packet, or with null what the decoder still holds. Not on the calling thread: a process that decodes hostile
   * media must still notice when it is told to stop.
   * @throws MediaError `undecodable` for a damaged packet. Packets before the first frame are excused: a stream that was
   *   cut out of a longer one begins with packets that lean on missing ones.
   */
  async decode(packet: Packet | null): Promise<void> {
    if (!this.wanted) return;
    const sent = await this.#context.sendPacket(packet);
    if (sent < 0 && sent !== AVERROR_EAGAIN && sent !== AVERROR_EOF) this.#damaged(sent);
    for (;;) {
      const status = await this.#context.receiveFrame(this.#frame);
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
        : Number(stamp) * this.#stream.timeBase.toDouble() - this.#originSeconds;
    this.#nextSeconds = seconds + this.#lastsSeconds();
    this.#decodedAny = true;
    for (const sink of this.#sinks) if (!sink.full) sink.push(frame, seconds);
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
