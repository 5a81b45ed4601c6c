import type { PictureLevel } from './decode.ts';
import type { PicturePlacement, Travel } from './picture-placement.ts';
import { loudnessAt } from './render-sound.ts';
import { SCENE_SECONDS, type Scene } from './scene.ts';
import type { Sources } from './sources.ts';

/** Size and times of the rendered frames: frame k shows the scene at firstSeconds + k / frameRateHz. */
export interface Geometry {
  readonly firstSeconds: number;
  readonly width: number;
  readonly height: number;
  readonly frameRateHz: number;
  readonly frameCount: number;
}

/** What reference victims see: like extraction from media, the middle of each frame's time. */
export const TRAINING_GEOMETRY: Geometry = {
  firstSeconds: 0.125,
  width: 64,
  height: 64,
  frameRateHz: 4,
  frameCount: 8,
};

/** How much a picture that follows its sound swells, and leaps as a share of the frame's side, at full loudness. */
const SWELL = 0.14;
const LEAP = 0.07;
/** A level is sampled with up to 2^0.45 of its pixels to one of the frame; beyond, the next halving is used. */
const SHARPNESS_BIAS = 0.55;
const BYTES_PER_PIXEL = 4;
const MIDDLE_SECONDS = SCENE_SECONDS / 2;

/** Renders a scene's frames: RGB bytes, `[frames, 3, height, width]`. */
export function renderFrames(
  sources: Sources,
  scene: Scene,
  envelopes: readonly (Float32Array | undefined)[],
  geometry: Geometry,
): Uint8Array<ArrayBuffer> {
  const { width, height, firstSeconds, frameRateHz, frameCount } = geometry;
  const plane = width * height;
  const bytes = new Uint8Array(frameCount * 3 * plane);
  const clamped = new Uint8ClampedArray(bytes.buffer);
  const canvas = new Float32Array(3 * plane);
  const backdrop = sources.picture(scene.background.id).levels;
  const pictures = scene.events.map(({ picture }) => (picture ? sources.picture(picture.id).levels : []));
  for (let frame = 0; frame < frameCount; frame++) {
    const seconds = firstSeconds + frame / frameRateHz;
    paintBackground(canvas, geometry, backdrop, scene.background, seconds);
    for (const [order, { picture }] of scene.events.entries()) {
      const levels = pictures[order];
      if (picture === undefined || levels === undefined) continue;
      const envelope = envelopes[order];
      const loudness = picture.followsSound && envelope ? loudnessAt(envelope, seconds) : undefined;
      paintPicture(canvas, geometry, levels, picture, seconds, loudness);
    }
    clamped.set(canvas, frame * canvas.length);
  }
  return bytes;
}

/** The level whose pixels are closest to the frame's, given the base level's pixels to one of the frame. */
function levelFor(levels: readonly PictureLevel[], pixelsPerPixel: number): { level: PictureLevel; scale: number } {
  const wanted = Math.floor(Math.log2(Math.max(1, pixelsPerPixel)) + SHARPNESS_BIAS);
  const chosen = Math.min(levels.length - 1, wanted);
  const level = levels[chosen];
  if (level === undefined) throw new Error('a picture without pixels');
  return { level, scale: 2 ** -chosen };
}

function paintBackground(
  canvas: Float32Array,
  { width, height }: Geometry,
  levels: readonly PictureLevel[],
  travel: Travel,
  seconds: number,
): void {
  const base = levels[0];
  if (base === undefined) throw new Error('a picture without pixels');
  const progress = seconds / SCENE_SECONDS;
  const innerWidth = base.width - 2;
  const innerHeight = base.height - 2;
  // The largest window of the frame's shape, times the travel's share of it.
  const share = Math.min(1, travel.window * (1 + travel.zoom * (progress - 0.5)));
  const step = share * Math.min(innerWidth / width, innerHeight / height);
  const left = (innerWidth - step * width) * (travel.from[0] + (travel.to[0] - travel.from[0]) * progress);
  const top = (innerHeight - step * height) * (travel.from[1] + (travel.to[1] - travel.from[1]) * progress);
  const { level, scale } = levelFor(levels, step);
  const columns = axis(width, left, step, scale, level.width - 2, travel.flip);
  const rows = axis(height, top, step, scale, level.height - 2, false);
  const { pixels } = level;
  const stride = level.width * BYTES_PER_PIXEL;
  const plane = width * height;
  const { gains, offset } = travel.colour;
  const [red, green, blue] = gains;
  let to = 0;
  for (let y = 0; y < height; y++) {
    const row = (rows.index[y] ?? 0) * stride;
    const down = rows.share[y] ?? 0;
    for (let x = 0; x < width; x++, to++) {
      const at = row + (columns.index[x] ?? 0) * BYTES_PER_PIXEL;
      const right = columns.share[x] ?? 0;
      canvas[to] = offset + red * bilinear(pixels, at, stride, right, down);
      canvas[plane + to] = offset + green * bilinear(pixels, at + 1, stride, right, down);
      canvas[2 * plane + to] = offset + blue * bilinear(pixels, at + 2, stride, right, down);
    }
  }
}

/** Where the pixel centres of one frame axis fall in a level: index of the left pixel, and share of the right one. */
interface Axis {
  readonly index: Int32Array;
  readonly share: Float32Array;
}

function axis(count: number, start: number, step: number, scale: number, inner: number, flip: boolean): Axis {
  const index = new Int32Array(count);
  const share = new Float32Array(count);
  for (let at = 0; at < count; at++) {
    const place = (start + step * ((flip ? count - 1 - at : at) + 0.5)) * scale - 0.5;
    // Stays on the picture itself: its border is transparent.
    const inside = Math.min(inner - 1, Math.max(0, place));
    const left = Math.min(inner - 2, Math.floor(inside));
    index[at] = left + 1;
    share[at] = inside - left;
  }
  return { index, share };
}

function bilinear(pixels: Uint8Array, at: number, stride: number, right: number, down: number): number {
  const upLeft = pixels[at] ?? 0;
  const upRight = pixels[at + BYTES_PER_PIXEL] ?? 0;
  const downLeft = pixels[at + stride] ?? 0;
  const downRight = pixels[at + stride + BYTES_PER_PIXEL] ?? 0;
  const up = upLeft + (upRight - upLeft) * right;
  return up + (downLeft + (downRight - downLeft) * right - up) * down;
}

/** Lays a cut-out over the canvas: an affine map of the frame's pixels into the picture, alpha blended. */
function paintPicture(
  canvas: Float32Array,
  { width, height }: Geometry,
  levels: readonly PictureLevel[],
  placement: PicturePlacement,
  seconds: number,
  loudness: number | undefined,
): void {
  const base = levels[0];
  if (base === undefined) throw new Error('a picture without pixels');
  const pose = poseAt(placement, seconds, loudness);
  const side = Math.min(width, height);
  const step = Math.max(base.width - 2, base.height - 2) / (pose.size * side);
  const { level, scale } = levelFor(levels, step);
  const centreX = pose.x * width;
  const centreY = pose.y * height;
  const reach =
    0.5 * pose.size * side * (Math.abs(Math.cos(placement.angle)) + Math.abs(Math.sin(placement.angle))) + 1;
  const firstX = Math.max(0, Math.floor(centreX - reach));
  const lastX = Math.min(width - 1, Math.ceil(centreX + reach));
  const firstY = Math.max(0, Math.floor(centreY - reach));
  const lastY = Math.min(height - 1, Math.ceil(centreY + reach));
  const cosine = Math.cos(placement.angle) * step * scale;
  const sine = Math.sin(placement.angle) * step * scale;
  const mirror = placement.flip ? -1 : 1;
  const { pixels } = level;
  const stride = level.width * BYTES_PER_PIXEL;
  const plane = width * height;
  const { gains, offset } = placement.colour;
  const [red, green, blue] = gains;
  for (let y = firstY; y <= lastY; y++) {
    const fromCentreY = y + 0.5 - centreY;
    for (let x = firstX; x <= lastX; x++) {
      const fromCentreX = mirror * (x + 0.5 - centreX);
      const u = level.width / 2 + cosine * fromCentreX + sine * fromCentreY - 0.5;
      const v = level.height / 2 - sine * fromCentreX + cosine * fromCentreY - 0.5;
      if (u < 0 || v < 0 || u >= level.width - 1 || v >= level.height - 1) continue;
      const column = Math.floor(u);
      const row = Math.floor(v);
      const at = row * stride + column * BYTES_PER_PIXEL;
      const opacity = bilinear(pixels, at + 3, stride, u - column, v - row) / 255;
      if (opacity === 0) continue;
      const behind = 1 - opacity;
      const lift = offset * opacity;
      const to = y * width + x;
      canvas[to] = behind * (canvas[to] ?? 0) + lift + red * bilinear(pixels, at, stride, u - column, v - row);
      const toGreen = to + plane;
      canvas[toGreen] =
        behind * (canvas[toGreen] ?? 0) + lift + green * bilinear(pixels, at + 1, stride, u - column, v - row);
      const toBlue = toGreen + plane;
      canvas[toBlue] =
        behind * (canvas[toBlue] ?? 0) + lift + blue * bilinear(pixels, at + 2, stride, u - column, v - row);
    }
  }
}

function poseAt(
  placement: PicturePlacement,
  seconds: number,
  loudness: number | undefined,
): { x: number; y: number; size: number } {
  const since = seconds - MIDDLE_SECONDS;
  const size = placement.size * (1 + placement.zoom * since);
  const x = placement.x + placement.velocityX * since;
  const y = placement.y + placement.velocityY * since;
  if (loudness !== undefined) return { x, y: y - LEAP * loudness, size: size * (1 + SWELL * loudness) };
  const bob = Math.sin(2 * Math.PI * placement.bobHz * seconds + placement.bobPhase);
  return { x, y: y + placement.bobHeight * bob, size };
}
