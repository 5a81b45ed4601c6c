import type { ProbedClips } from '@faultline/attack-algorithms/sanity';
import { type Victim, valueRange } from '@faultline/victim';
import type { ClipBatch } from '../strength/shipped-clips.ts';

export const NORM_NAMES = ['linf', 'l2'] as const;
export type NormName = (typeof NORM_NAMES)[number];

/** Budgets at scale 1 of each kind of input, in its unit. */
const RHO = { linf: { waveform: 0.001, frames: 0.004 }, l2: { waveform: 0.1, frames: 1 } } as const;

/** Clips as they are probed, all inputs or those named being attacked. */
export async function probedClips(
  victim: Victim,
  { inputs, labels }: ClipBatch,
  norm: NormName,
  attacked: readonly string[] = [...inputs.keys()],
): Promise<ProbedClips> {
  const { card } = await victim.describe();
  const count = card.labels.length;
  const targets = new Float32Array(labels.length * count);
  for (const [clip, active] of labels.entries()) for (const label of active) targets[clip * count + label] = 1;
  const variables = card.inputs.flatMap((input) => {
    if (input.kind === undefined || !attacked.includes(input.name)) return [];
    return [{ name: input.name, rho: RHO[norm][input.kind.$case], ...valueRange(input) }];
  });
  return { inputs, targets: { dims: [labels.length, count], data: targets }, variables, norm };
}
