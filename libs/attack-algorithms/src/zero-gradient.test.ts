import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import { collect, runOf } from './testing/attack-run.ts';

const SAMPLES = 20;
const FRAME_DIMS = [2, 2, 2] as const;
const PIXELS = 2 * 3 * 2 * 2;

for (const norm of ['linf', 'l2'] as const) {
  test(`a victim that does not react leaves numbers, not NaN: ${norm}`, async () => {
    const { model, card } = linearVictim({
      waveform: new Float32Array(SAMPLES),
      frames: new Float32Array(PIXELS),
      bias: Float32Array.of(1),
      frameDims: FRAME_DIMS,
    });
    await using victim = await LocalVictim.load({ model, card });
    const inputs = new Map([
      ['waveform', { dims: [1, SAMPLES], data: new Float32Array(SAMPLES) }],
      ['frames', { dims: [1, 2, 3, 2, 2], data: new Uint8Array(PIXELS) }],
    ]);
    const budgets = new Map([
      ['waveform', 0.1],
      ['frames', 0.1],
    ]);
    const { rows } = await collect(
      victim,
      runOf({
        inputs,
        labels: [[0]],
        labelCount: 1,
        norm,
        budgets,
        rungs: [
          [0, 'never'],
          [1, 'never'],
        ],
      }),
    );
    assert.deepEqual(
      rows.map(({ margin }) => margin),
      [1, 1],
    );
    for (const { point } of rows) for (const x of point.values()) assert.ok(x.every(Number.isFinite));
  });
}
