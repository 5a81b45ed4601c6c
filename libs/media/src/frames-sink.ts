import {
  AV_PIX_FMT_GBRP,
  AVCOL_RANGE_JPEG,
  AVCOL_SPC_RGB,
  SWS_ACCURATE_RND,
  SWS_AREA,
  SWS_BILINEAR,
  SWS_BITEXACT,
  SWS_FULL_CHR_H_INT,
} from 'node-av/constants';
import { Frame, SoftwareScaleContext } from 'node-av/lib';
import { requireStatus } from './ffmpeg-status.ts';
import type { FramesSpecification } from './input-specification.ts';
import { type Orientation, orientationOf, UPRIGHT } from './orientation.ts';
import type { Sink } from './sink.ts';

/** A frame that begins this little after a time still counts as shown then: containers round time stamps (Matroska to 1 ms). */
const TIME_STAMP_ROUNDING_SECONDS = 0.001;
const CHANNELS = 3;
/** FFmpeg's planar RGB lies in memory as green, blue, red: where each plane goes in R, G, B order. */
const CHANNEL_OF_PLANE = [1, 2, 0];

/**
 * Picks the frame that is shown in the middle of each interval, t_k = (k + 0.5) / frameRateHz, and scales it (libswscale:
 * area average when shrinking both sides, else bilinear) to exactly height x width, turned upright.
 *
 * The middle, for a source at the same rate is then picked frame by frame, whatever its time stamps' rounding.
 */
export class FramesSink implements Sink {
  readonly #specification: FramesSpecification;
  readonly #pixels: Uint8Array;
  #scaler = new SoftwareScaleContext();
  #scaled = new Frame();
  #shown: Frame | undefined;
  #picked = 0;
  #orientation: Orientation = UPRIGHT;
  /** What the scaler is set up for. */
  #scalerSetup = '';

  constructor(specification: FramesSpecification) {
    this.#specification = specification;
    const { frames, height, width } = specification;
    this.#pixels = new Uint8Array(frames * CHANNELS * height * width);
  }

  get full(): boolean {
    return this.#picked >= this.#specification.frames;
  }

  get empty(): boolean {
    return this.#shown === undefined && this.#picked === 0;
  }

  push(frame: Frame, seconds: number): void {
    if (this.full) return;
    if (this.#shown) this.#pickUntil(seconds);
    this.#shown?.free();
    this.#shown = frame.clone() ?? undefined;
  }

  /** Repeats the last frame to the end and returns uint8 `[frames, 3, height, width]`. */
  finish(): Uint8Array {
    this.#pickUntil(Number.POSITIVE_INFINITY);
    return this.#pixels;
  }

  free(): void {
    this.#shown?.free();
    this.#shown = undefined;
    this.#scaled.free();
    this.#scaler.freeContext();
  }

  /** Picks the frame shown now for every wanted time before `seconds`, when the next one begins. */
  #pickUntil(seconds: number): void {
    const { frameRateHz } = this.#specification;
    const shown = this.#shown;
    if (!shown) return;
    let scaled = false;
    while (!this.full && (this.#picked + 0.5) / frameRateHz + TIME_STAMP_ROUNDING_SECONDS < seconds) {
      if (!scaled) this.#scale(shown);
      scaled = true;
      this.#store();
      this.#picked++;
    }
  }

  #scale(frame: Frame): void {
    this.#orientation = orientationOf(frame);
    const { turned } = this.#orientation;
    const [width, height] = turned
      ? [this.#specification.height, this.#specification.width]
      : [this.#specification.width, this.#specification.height];
    this.#setUpScaler(frame, width, height);
    requireStatus(this.#scaler.scaleFrameSync(this.#scaled, frame), 'its pictures cannot be scaled');
  }

  /** To set up costs more than to scale a small picture, so it is done when the pictures change. */
  #setUpScaler(frame: Frame, width: number, height: number): void {
    const { format, colorSpace, colorRange } = frame;
    const setup = [frame.width, frame.height, format, colorSpace, colorRange, width, height].join();
    if (setup === this.#scalerSetup) return;
    this.#scalerSetup = setup;
    const filter = frame.width >= width && frame.height >= height ? SWS_AREA : SWS_BILINEAR;
    this.#scaler.allocContext();
    this.#scaler.setOption('sws_flags', filter | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT);
    this.#scaled.alloc();
    this.#scaled.width = width;
    this.#scaled.height = height;
    this.#scaled.format = AV_PIX_FMT_GBRP;
    this.#scaled.colorSpace = AVCOL_SPC_RGB;
    this.#scaled.colorRange = AVCOL_RANGE_JPEG;
    requireStatus(this.#scaled.getBuffer(), 'its pictures cannot be scaled');
  }

  #store(): void {
    const { width, height } = this.#specification;
    const planes = this.#scaled.data ?? [];
    const { linesize } = this.#scaled;
    CHANNEL_OF_PLANE.forEach((channel, plane) => {
      const stored = planes[plane];
      const start = (this.#picked * CHANNELS + channel) * width * height;
      if (stored)
        storePlane(stored, linesize[plane] ?? width, this.#pixels, start, this.#specification, this.#orientation);
    });
  }
}

/** Copies a plane upright to `pixels` from `start` on. */
function storePlane(
  stored: Buffer,
  stride: number,
  pixels: Uint8Array,
  start: number,
  { width, height }: FramesSpecification,
  { turned, flipsColumns, flipsRows }: Orientation,
): void {
  for (let y = 0; y < height; y++) {
    if (!turned && !flipsColumns) {
      const row = flipsRows ? height - 1 - y : y;
      pixels.set(stored.subarray(row * stride, row * stride + width), start + y * width);
      continue;
    }
    for (let x = 0; x < width; x++) {
      const [p, columns] = turned ? [y, height] : [x, width];
      const [q, rows] = turned ? [x, width] : [y, height];
      const column = flipsColumns ? columns - 1 - p : p;
      const row = flipsRows ? rows - 1 - q : q;
      pixels[start + y * width + x] = stored[row * stride + column] ?? 0;
    }
  }
}
