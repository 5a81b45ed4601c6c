import type { VictimSpec } from '@faultline/fusion';
import type { PoolBatch } from './example-pool.ts';

/** The moments that a victim cuts a clip into. */
export const momentCount = ({ frames, patches }: VictimSpec): number => frames.frames / patches.frames;

/**
 * The same architecture on one moment of a clip: parameters of the same names and shapes. A batch of single moments of many
 * clips shows four times as many pictures as the same work on whole clips, whose moments are alike.
 */
export function momentSpec(spec: VictimSpec): VictimSpec {
  const samples = spec.waveform.samples / momentCount(spec);
  return {
    ...spec,
    waveform: { ...spec.waveform, samples },
    frames: { ...spec.frames, frames: spec.patches.frames },
  };
}

/** Cuts the clips of a batch into moments, each with the labels of its clip; inputs are not copied. */
export function momentsIn(batch: PoolBatch, count: number): PoolBatch {
  const labels = batch.audioTargets.length / batch.size;
  const repeated = (targets: Float32Array) =>
    Float32Array.from({ length: count * targets.length }, (_, at) => {
      const clip = Math.floor(at / (count * labels));
      return targets[clip * labels + (at % labels)] ?? 0;
    });
  return {
    ...batch,
    start: batch.start * count,
    size: batch.size * count,
    audioTargets: repeated(batch.audioTargets),
    visualTargets: repeated(batch.visualTargets),
  };
}
