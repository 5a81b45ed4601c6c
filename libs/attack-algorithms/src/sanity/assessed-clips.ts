import { pickRows } from '@faultline/contracts';
import type { ProbedClips } from './probed-clips.ts';

/** Clips of one attack, looked at a few at a time: all of them need not be in memory at once. */
export interface AssessedClips {
  readonly count: number;
  /** A batch of these clips, in this order; at least one. */
  readonly batch: (clips: readonly number[]) => ProbedClips;
}

/** Clips that are in one batch already. */
export function clipsInMemory(clips: ProbedClips): AssessedClips {
  const { inputs, targets } = clips;
  const [count = 0, labels = 0] = targets.dims;
  return {
    count,
    batch: (rows) => ({
      ...clips,
      inputs: new Map(Array.from(inputs, ([name, tensor]) => [name, pickRows(tensor, rows)])),
      targets: {
        dims: [rows.length, labels],
        data: Float32Array.from(rows.flatMap((row) => [...targets.data.subarray(row * labels, (row + 1) * labels)])),
      },
    }),
  };
}
