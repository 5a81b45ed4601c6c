import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import type { AttackedClips } from './attacked-clips.ts';
import { measureOutcomes } from './outcomes.ts';

const [SAMPLES, SIDE, CLIPS] = [40, 4, 3];
const PIXELS = 3 * SIDE * SIDE;
const WEIGHT = 0.1;

/** One label: z = 0.1 x the sum of all samples and pixels. From the clip, epsilons e and f lower it by 0.1 (40 e + 48 f) at most. */
async function victimAndClips() {
  const { model, card } = linearVictim({
    waveform: new Float32Array(SAMPLES).fill(WEIGHT),
    frames: new Float32Array(PIXELS).fill(WEIGHT),
    bias: Float32Array.of(0),
    frameDims: [1, SIDE, SIDE],
  });
  const threshold = WEIGHT * 0.5 * PIXELS - 0.05;
  const labels = card.labels.slice(0, 1).map(({ label }) => ({ label, threshold }));
  const subject = await LocalVictim.load({ model, card: { ...card, labels, logitScale: 1 } });
  const clips: AttackedClips = {
    inputs: new Map([
      // Margins at first: 0.05, 0.35 and -0.15, the last being off.
      ['waveform', { dims: [CLIPS, SAMPLES], data: fill(SAMPLES, [0, 0.075, -0.05]) }],
      ['frames', { dims: [CLIPS, 1, 3, SIDE, SIDE], data: fill(PIXELS, [0.5, 0.5, 0.5]) }],
    ]),
    targets: { dims: [CLIPS, 1], data: Float32Array.of(1, 1, 1) },
    sha256: ['a', 'b', 'c'].map((letter) => letter.repeat(64)),
    groups: [['a'], ['b'], ['c']],
  };
  return { subject, clips };
}

const fill = (each: number, values: readonly number[]): Float32Array =>
  Float32Array.from({ length: each * values.length }, (_, index) => values[Math.floor(index / each)] ?? 0);

test('each input is attacked alone and both at once, and a joint budget never does worse than its parts', async () => {
  const { subject, clips } = await victimAndClips();
  const setting = {
    clips: CLIPS,
    epsilons: { waveform: 0.01, frames: 0.01 },
    scales: [1, 4],
    steps: 8,
    restarts: 1,
    seed: 1,
  };
  const { threats } = await measureOutcomes(subject, clips, setting);
  assert.deepEqual(
    threats.map(({ variables, attacked }) => [variables.join(), attacked]),
    [
      ['waveform', [1, 2, -1]],
      ['frames', [1, 2, -1]],
      ['waveform,frames', [0, 1, -1]],
    ],
  );
  for (const { attacked, noise } of threats) {
    for (const [clip, rung] of noise.entries()) assert.ok(rung >= (attacked[clip] ?? 0));
  }
});
