import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Point, sizeOf } from './problem.ts';

const point = (waveform: readonly number[], frames: readonly number[]): Point =>
  new Map([
    ['waveform', { dims: [1, waveform.length], data: Float32Array.from(waveform) }],
    ['frames', { dims: [1, frames.length], data: Float32Array.from(frames) }],
  ]);

const CLEAN = point([0, 0, 0], [0.5, 0.5]);
const MOVED = point([0.5, 0, -1], [0.75, 0.5]);

test('sizes are in units of the ranges, the largest of the variables', () => {
  const variables = ['waveform', 'frames'] as const;
  assert.equal(sizeOf({ norm: 'linf', variables }, CLEAN, MOVED), 0.5);
  assert.equal(sizeOf({ norm: 'l1', variables }, CLEAN, MOVED), 0.75);
  assert.equal(sizeOf({ norm: 'l0', variables }, CLEAN, MOVED), 2);
  assert.equal(sizeOf({ norm: 'l2', variables: ['waveform'] }, CLEAN, MOVED), Math.hypot(0.25, 0.5));
  assert.equal(sizeOf({ norm: 'linf', variables: ['frames'] }, CLEAN, MOVED), 0.25);
});

test('bytes are pixels x 255', () => {
  const bytes: Point = new Map([['frames', { dims: [1, 2], data: Uint8Array.of(0, 255) }]]);
  const moved: Point = new Map([['frames', { dims: [1, 2], data: Float32Array.of(0.5, 1) }]]);
  assert.equal(sizeOf({ norm: 'linf', variables: ['frames'] }, bytes, moved), 0.5);
});
