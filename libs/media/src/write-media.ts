import {
  AV_CODEC_FLAG_BITEXACT,
  AV_CODEC_FLAG_GLOBAL_HEADER,
  type AV_PIX_FMT_BGR0,
  AV_PIX_FMT_RGB24,
  AV_PIX_FMT_YUV420P,
  AVCOL_RANGE_JPEG,
  AVCOL_RANGE_MPEG,
  AVCOL_SPC_RGB,
  AVCOL_SPC_SMPTE170M,
  AVERROR_EAGAIN,
  AVERROR_EOF,
  AVFMT_FLAG_BITEXACT,
  type FFEncoderCodec,
  SWS_ACCURATE_RND,
  SWS_AREA,
  SWS_BITEXACT,
} from 'node-av/constants';
import {
  Codec,
  CodecContext,
  FFmpegError,
  FormatContext,
  Frame,
  Packet,
  Rational,
  SoftwareScaleContext,
  type Stream,
} from 'node-av/lib';
import './ffmpeg-log.ts';
import { MemoryOutput } from './memory-io.ts';
import { CHANNEL_LAYOUTS, type ChannelCount, type SampleForm, soundBlock } from './sound-block.ts';

/** Pictures and how to code them. */
export interface VideoTrack {
  readonly encoder: FFEncoderCodec;
  /** Options of the encoder, by FFmpeg's names. */
  readonly options?: Readonly<Record<string, string>>;
  readonly bitRate?: number;
  /** Interleaved RGB pixels, `[frames, height, width, 3]`. */
  readonly frames: Uint8Array;
  readonly frameRateHz: number;
  /** Even numbers of pixels for 4:2:0 video. */
  readonly width: number;
  readonly height: number;
  /** What the encoder takes: 4:2:0 video unless given, or pictures in RGB, which lose nothing on the way. */
  readonly pixelFormat?: typeof AV_PIX_FMT_BGR0;
  /** Do not say how long the last picture is shown; see `Clip.openEnded`. */
  readonly openEnded?: boolean;
}

/** Sound and how to code it. */
export interface AudioTrack {
  readonly encoder: FFEncoderCodec;
  readonly bitRate?: number;
  /** Amplitude in [-1, 1], `[samples]`; the same in every channel. */
  readonly waveform: Float32Array;
  readonly sampleRateHz: number;
  readonly channels: ChannelCount;
  /** The form in which the encoder takes samples. */
  readonly form: SampleForm;
}

/** FFmpeg's name of the container, and what it holds. */
export interface MediaDescription {
  readonly container: string;
  readonly video?: VideoTrack;
  readonly audio?: AudioTrack;
}

/** Frame rates are written as fractions with this denominator (29.97 becomes 29970/1000). */
const FRAME_RATE_DENOMINATOR = 1000;
/** For encoders that take blocks of any length (PCM, FLAC decides by itself). */
const DEFAULT_BLOCK_SAMPLES = 1024;

/**
 * Writes a media file whose streams begin at time 0. One thread, bit-exact flags, no creation time: equal input gives equal
 * bytes on one machine.
 * @throws FFmpegError when the container cannot hold the streams or an encoder refuses its settings.
 */
export async function writeMedia({ container, video, audio }: MediaDescription): Promise<Uint8Array> {
  using resources = new DisposableStack();
  const output = new MemoryOutput();
  resources.defer(() => output.io.freeContext());
  const format = new FormatContext();
  FFmpegError.throwIfError(format.allocOutputContext2(null, container, null), 'allocOutputContext2');
  resources.defer(() => {
    format.pb = null;
    format.freeContext();
  });
  format.setFlags(AVFMT_FLAG_BITEXACT);
  format.pb = output.io;
  const tracks = [video && openVideo(format, video, resources), audio && openAudio(format, audio, resources)];
  FFmpegError.throwIfError(await format.writeHeader(), 'writeHeader');
  // The muxer interleaves by time stamp, so one stream after the other is fine.
  for (const track of tracks) {
    if (track === undefined) continue;
    for (const frame of track.frames) await encode(format, track, frame);
    await encode(format, track, null);
  }
  FFmpegError.throwIfError(await format.writeTrailer(), 'writeTrailer');
  await output.io.flush();
  return output.bytes();
}

interface OpenTrack {
  readonly encoder: CodecContext;
  readonly stream: Stream;
  readonly frames: Iterable<Frame>;
  /** For packets of encoders that do not say it, in the encoder's unit. */
  readonly packetDuration: bigint;
}

function openEncoder(name: FFEncoderCodec, resources: DisposableStack, setUp: (context: CodecContext) => void) {
  const codec = Codec.findEncoderByName(name);
  if (!codec) throw new Error(`this FFmpeg build has no encoder ${name}`);
  const context = new CodecContext();
  context.allocContext3(codec);
  resources.defer(() => context.freeContext());
  context.threadCount = 1;
  context.setFlags(AV_CODEC_FLAG_BITEXACT, AV_CODEC_FLAG_GLOBAL_HEADER);
  setUp(context);
  FFmpegError.throwIfError(context.open2Sync(codec), `open the encoder ${name}`);
  return context;
}

function addStream(format: FormatContext, encoder: CodecContext): Stream {
  const stream = format.newStream(null);
  FFmpegError.throwIfError(stream.codecpar.fromContext(encoder), 'describe the stream');
  stream.timeBase = encoder.timeBase;
  return stream;
}

function openVideo(format: FormatContext, track: VideoTrack, resources: DisposableStack): OpenTrack {
  const frameRate = new Rational(Math.round(track.frameRateHz * FRAME_RATE_DENOMINATOR), FRAME_RATE_DENOMINATOR);
  const encoder = openEncoder(track.encoder, resources, (context) => {
    context.width = track.width;
    context.height = track.height;
    const { pixelFormat } = track;
    context.pixelFormat = pixelFormat ?? AV_PIX_FMT_YUV420P;
    context.colorSpace = pixelFormat === undefined ? AVCOL_SPC_SMPTE170M : AVCOL_SPC_RGB;
    context.colorRange = pixelFormat === undefined ? AVCOL_RANGE_MPEG : AVCOL_RANGE_JPEG;
    context.framerate = frameRate;
    context.timeBase = frameRate.inv();
    if (track.bitRate !== undefined) context.bitRate = BigInt(track.bitRate);
    for (const [name, value] of Object.entries(track.options ?? {})) context.setOption(name, value);
  });
  return {
    encoder,
    stream: addStream(format, encoder),
    frames: pictures(track),
    packetDuration: track.openEnded ? 0n : 1n,
  };
}

function openAudio(format: FormatContext, track: AudioTrack, resources: DisposableStack): OpenTrack {
  const encoder = openEncoder(track.encoder, resources, (context) => {
    context.sampleRate = track.sampleRateHz;
    context.sampleFormat = track.form.format;
    context.channelLayout = CHANNEL_LAYOUTS[track.channels];
    if (track.bitRate !== undefined) context.bitRate = BigInt(track.bitRate);
    context.timeBase = new Rational(1, track.sampleRateHz);
  });
  const blockSamples = encoder.frameSize > 0 ? encoder.frameSize : DEFAULT_BLOCK_SAMPLES;
  return { encoder, stream: addStream(format, encoder), frames: soundBlocks(track, blockSamples), packetDuration: 0n };
}

function* pictures({ width, height, frames, pixelFormat = AV_PIX_FMT_YUV420P }: VideoTrack): Generator<Frame> {
  const frameBytes = width * height * 3;
  using scaler = new SoftwareScaleContext();
  scaler.getContext(
    width,
    height,
    AV_PIX_FMT_RGB24,
    width,
    height,
    pixelFormat,
    (SWS_AREA | SWS_ACCURATE_RND | SWS_BITEXACT) as typeof SWS_AREA,
  );
  for (let index = 0; index * frameBytes < frames.length; index++) {
    const pixels = frames.subarray(index * frameBytes, (index + 1) * frameBytes);
    using rgb = Frame.fromVideoBuffer(Buffer.from(pixels), { width, height, format: AV_PIX_FMT_RGB24 });
    using coded = new Frame();
    coded.alloc();
    coded.width = width;
    coded.height = height;
    coded.format = pixelFormat;
    FFmpegError.throwIfError(coded.getBuffer(), 'allocate a picture');
    FFmpegError.throwIfError(scaler.scaleFrameSync(coded, rgb), 'convert a picture');
    coded.pts = BigInt(index);
    yield coded;
  }
}

function* soundBlocks({ waveform, sampleRateHz, channels, form }: AudioTrack, samples: number): Generator<Frame> {
  for (let start = 0; start < waveform.length; start += samples) {
    const block = waveform.subarray(start, start + samples);
    using frame = Frame.fromAudioBuffer(soundBlock(block, channels, form), {
      nbSamples: block.length,
      format: form.format,
      sampleRate: sampleRateHz,
      channelLayout: CHANNEL_LAYOUTS[channels],
      pts: BigInt(start),
    });
    yield frame;
  }
}

async function encode(format: FormatContext, track: OpenTrack, frame: Frame | null): Promise<void> {
  const { encoder, stream, packetDuration } = track;
  FFmpegError.throwIfError(encoder.sendFrameSync(frame), 'encode');
  using packet = new Packet();
  packet.alloc();
  for (;;) {
    const status = encoder.receivePacketSync(packet);
    if (status === AVERROR_EAGAIN || status === AVERROR_EOF) return;
    FFmpegError.throwIfError(status, 'encode');
    packet.streamIndex = stream.index;
    if (packet.duration === 0n) packet.duration = packetDuration;
    packet.rescaleTs(encoder.timeBase, stream.timeBase);
    FFmpegError.throwIfError(await format.interleavedWriteFrame(packet), 'write');
  }
}
