import { type LateSpec, VICTIM_SPECS } from '@faultline/fusion';
import { CounterRandom } from '../counter-random.ts';
import type { TrainingBatch } from '../training-batch.ts';

/** A late victim small enough to train in a test. */
export const TOY_SPEC: LateSpec = {
  ...VICTIM_SPECS.late,
  waveform: { sampleRateHz: 16_000, samples: 4000 },
  frames: { frameRateHz: 4, frames: 2, height: 16, width: 16 },
  patches: { frames: 2, side: 4, channels: 4 },
  audio: [{ channels: 8, kernel: [3, 3], stride: [2, 2] }],
  video: [{ channels: 8, kernel: [3, 3], stride: [2, 2] }],
  labels: 2,
  embedding: 8,
};

const SIZE = 8;

/** Label 0: a tone sounds; label 1: the picture is bright. Every combination occurs. */
export function toyBatch(step: number): TrainingBatch {
  const random = new CounterRandom(5, `toy/${step}`);
  const heard = (clip: number) => clip & 1;
  const seen = (clip: number) => (clip >> 1) & 1;
  const pixels = TOY_SPEC.frames.frames * 3 * TOY_SPEC.frames.height * TOY_SPEC.frames.width;
  const rows = (each: number, of: (clip: number, at: number, noise: number) => number) =>
    Float32Array.from({ length: SIZE * each }, (_, index) =>
      of(Math.floor(index / each), index % each, random.uniform(index)),
    );
  return {
    size: SIZE,
    inputs: {
      waveform: rows(
        TOY_SPEC.waveform.samples,
        (clip, at, noise) => 0.1 * noise + heard(clip) * 0.3 * Math.sin(0.3 * at),
      ),
      frames: rows(pixels, (clip, _, noise) => 0.2 * noise + 0.5 * seen(clip)),
    },
    targets: rows(2, (clip, label) => (label === 0 ? heard(clip) : seen(clip))),
    audioTargets: rows(2, (clip, label) => (label === 0 ? heard(clip) : 0)),
    visualTargets: rows(2, (clip, label) => (label === 0 ? 0 : seen(clip))),
  };
}
