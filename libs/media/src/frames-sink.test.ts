import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AV_PIX_FMT_RGB24 } from 'node-av/constants';
import { Frame } from 'node-av/lib';
import { FramesSink } from './frames-sink.ts';

const SIDE = 4;

/** A picture in one colour. */
function pictureOf(colour: readonly [red: number, green: number, blue: number]): Frame {
  const pixels = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, index) => colour[index % 3] ?? 0);
  return Frame.fromVideoBuffer(Buffer.from(pixels), { width: SIDE, height: SIDE, format: AV_PIX_FMT_RGB24 });
}

/** Red values of the frames picked at `frameRateHz` when pictures with these red values begin at these times. */
function pick(
  frameRateHz: number,
  frames: number,
  pushes: readonly (readonly [seconds: number, red: number])[],
): number[] {
  const sink = new FramesSink({ kind: 'frames', frameRateHz, frames, height: 2, width: 2 });
  for (const [seconds, red] of pushes) {
    using picture = pictureOf([red, 0, 0]);
    sink.push(picture, seconds);
  }
  const pixels = sink.finish();
  sink.free();
  return Array.from({ length: frames }, (_, index) => pixels[index * 3 * 2 * 2] ?? -1);
}

describe('FramesSink', () => {
  it('writes channels in the order red, green, blue', () => {
    const sink = new FramesSink({ kind: 'frames', frameRateHz: 1, frames: 1, height: 2, width: 3 });
    using picture = pictureOf([250, 100, 5]);
    sink.push(picture, 0);
    const plane = (value: number) => new Array<number>(6).fill(value);
    assert.deepEqual([...sink.finish()], [...plane(250), ...plane(100), ...plane(5)]);
    sink.free();
  });

  it('takes every frame of a source at its own rate, whatever the rounding of its time stamps', () => {
    const pushes = [0, 33, 67, 100, 133].map((milliseconds, index) => [milliseconds / 1000, 10 * index] as const);
    assert.deepEqual(pick(30, 5, pushes), [0, 10, 20, 30, 40]);
  });

  it('takes the frame that is shown in the middle of each interval', () => {
    const pushes = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => [index / 8, 10 * index] as const);
    assert.deepEqual(pick(4, 4, pushes), [10, 30, 50, 70]);
  });

  it('shows the first frame before it begins, and the last one to the end', () => {
    assert.deepEqual(
      pick(1, 5, [
        [2, 10],
        [3, 20],
      ]),
      [10, 10, 10, 20, 20],
    );
  });

  it('repeats a frame that is shown for long', () => {
    assert.deepEqual(
      pick(2, 4, [
        [0, 10],
        [1.6, 20],
      ]),
      [10, 10, 10, 20],
    );
  });

  it('cuts what comes after its last frame', () => {
    assert.deepEqual(
      pick(1, 1, [
        [0, 10],
        [1, 20],
        [2, 30],
      ]),
      [10],
    );
  });
});
