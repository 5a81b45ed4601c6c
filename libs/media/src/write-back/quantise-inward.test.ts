import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FLOAT32_SLACK, GRIDS, type Grid, quantiseInward } from './quantise-inward.ts';

/** Deterministic numbers in [-1, 1). */
const wave = (length: number, pace: number) =>
  Float32Array.from({ length }, (_, index) => Math.sin(index * pace) * Math.cos(index * 0.017));

const pixels = (...levels: number[]) => Float32Array.from(levels, (level) => level / 255);

/** Largest, Euclidean and summed distance, and how many differ. */
function norms(a: ArrayLike<number>, b: ArrayLike<number>) {
  const sizes = Array.from({ length: a.length }, (_, index) => Math.abs((a[index] ?? 0) - (b[index] ?? 0)));
  return [
    Math.max(...sizes),
    Math.hypot(...sizes),
    sizes.reduce((sum, size) => sum + size, 0),
    sizes.filter((size) => size > 0).length,
  ];
}

const NORM_NAMES = ['linf', 'l2', 'l1', 'l0'];

/** An attack on every third coordinate, at most `epsilon` each, within the grid's range. */
function attacked(clean: Float32Array, epsilon: number, { steps, low, high }: Grid): Float32Array {
  const push = wave(clean.length, 2.3);
  return clean.map((value, index) => {
    if (index % 3 !== 0) return value;
    return Math.max(low / steps, Math.min(high / steps, value + epsilon * (push[index] ?? 0)));
  });
}

const CLEAN = {
  waveform: wave(2000, 1.31),
  frames: Float32Array.from(wave(2000, 1.31), (value) => Math.round(127 + 127 * value) / 255),
};

describe('quantiseInward', () => {
  for (const kind of ['waveform', 'frames'] as const) {
    const grid = GRIDS[kind];
    it(`never enlarges a perturbation of ${kind}, in no norm, and leaves alone what it leaves alone`, () => {
      for (const inSteps of [0.3, 1, 2.7, 9]) {
        const clean = CLEAN[kind];
        const adversarial = attacked(clean, inSteps / grid.steps, grid);
        const written = quantiseInward(clean, adversarial, grid, 0);
        const before = norms(adversarial, clean);
        for (const [index, left] of norms(written.adversarial, written.clean).entries()) {
          const most = (before[index] ?? 0) * (NORM_NAMES[index] === 'l0' ? 1 : grid.steps);
          assert.ok(left <= most, `${NORM_NAMES[index]} of ${inSteps} steps: ${left} of ${most}`);
        }
        for (const [index, level] of written.adversarial.entries()) {
          if (index % 3 !== 0) assert.equal(level, written.clean[index]);
          const moved = Math.abs((adversarial[index] ?? 0) - (clean[index] ?? 0)) * grid.steps;
          const away = Math.abs(level - (clean[index] ?? 0) * grid.steps);
          assert.ok(away <= Math.max(moved, 0.5 + 1e-9), `coordinate ${index} is ${away} steps away, not ${moved}`);
          assert.ok(level >= grid.low && level <= grid.high);
        }
      }
    });
  }

  it('keeps whole steps: a budget of 8/255 is 8 levels, whatever float32 made of it', () => {
    const clean = pixels(0, 3, 100, 200, 255);
    const adversarial = pixels(8, 11, 108, 192, 247).map((value) => value * (1 - 1e-7));
    const { adversarial: levels } = quantiseInward(clean, adversarial, GRIDS.frames, FLOAT32_SLACK);
    assert.deepEqual([...levels].slice(0, 3), [8, 11, 108]);
    assert.deepEqual(
      [...quantiseInward(clean, pixels(0, 2, 99, 199, 254), GRIDS.frames, FLOAT32_SLACK).adversarial],
      [0, 2, 99, 199, 254],
    );
  });

  it('leaves nothing of a perturbation below one step', () => {
    const adversarial = CLEAN.frames.map((value) => Math.min(1, value + 0.99 / 255));
    const written = quantiseInward(CLEAN.frames, adversarial, GRIDS.frames, FLOAT32_SLACK);
    assert.deepEqual(written.adversarial, written.clean);
  });

  it('stays in range where the clean value has no level: full scale of 16 bits is 32767', () => {
    const written = quantiseInward(Float32Array.of(1, -1, 1), Float32Array.of(0.5, -1, 1), GRIDS.waveform, 0);
    assert.deepEqual([...written.clean], [32767, -32768, 32767]);
    assert.deepEqual([...written.adversarial], [16384, -32768, 32767]);
  });

  it('refuses points of different length', () => {
    assert.throws(() => quantiseInward(new Float32Array(2), new Float32Array(3), GRIDS.frames, 0), /3 values.*2/);
  });
});
