import { encodeClip } from './encode-clip.ts';

/** A clip for tests whose right answer is known: a tone, and a red square that steps to the right over a blue ground. */
export const TEST_CLIP = {
  seconds: 2,
  sampleRateHz: 16_000,
  toneHz: 440,
  toneAmplitude: 0.5,
  frameRateHz: 8,
  side: 96,
  squareSide: 24,
  /** Pixels that the square moves from one frame to the next. */
  squareStep: 4,
} as const;

/** The tone, `[samples]`. */
export function testTone(samples: number = TEST_CLIP.seconds * TEST_CLIP.sampleRateHz): Float32Array {
  const { toneAmplitude, toneHz, sampleRateHz } = TEST_CLIP;
  return Float32Array.from(
    { length: samples },
    (_, index) => toneAmplitude * Math.sin((2 * Math.PI * toneHz * index) / sampleRateHz),
  );
}

/** The pictures, interleaved RGB `[frames, side, side, 3]`. */
export function testPictures(): Uint8Array {
  const { side, squareSide, squareStep } = TEST_CLIP;
  const count = TEST_CLIP.seconds * TEST_CLIP.frameRateHz;
  const pixels = new Uint8Array(count * side * side * 3);
  const top = (side - squareSide) / 2;
  for (let pixel = 0; pixel < count * side * side; pixel++) {
    const column = pixel % side;
    const row = Math.floor(pixel / side) % side;
    const left = squareStep * Math.floor(pixel / (side * side));
    const inSquare = column >= left && column < left + squareSide && row >= top && row < top + squareSide;
    pixels[3 * pixel + (inSquare ? 0 : 2)] = 255;
  }
  return pixels;
}

/** The clip as mp4 bytes. */
export function encodeTestClip(): Promise<Uint8Array> {
  const { sampleRateHz, frameRateHz, side } = TEST_CLIP;
  return encodeClip({
    waveform: testTone(),
    sampleRateHz,
    frames: testPictures(),
    frameRateHz,
    width: side,
    height: side,
  });
}
