import { catalogue, criticalScales } from '@faultline/attack-algorithms';
import { attack as contract } from '@faultline/contracts';
import type { Victim } from '@faultline/victim';
import { type ClipBatch, targetsOf } from '../strength/shipped-clips.ts';

/** Norms of the searches. */
export type GapNorm = 'linf' | 'l2' | 'l1' | 'l0';

const NORMS = {
  linf: contract.Norm.NORM_LINF,
  l2: contract.Norm.NORM_L2,
  l1: contract.Norm.NORM_L1,
  l0: contract.Norm.NORM_L0,
} as const satisfies Record<GapNorm, contract.Norm>;

/** Budgets at scale 1 of each variable, in its unit. */
const RHO = {
  linf: { waveform: 0.001, frames: 0.004 },
  l2: { waveform: 0.1, frames: 1 },
  l1: { waveform: 10, frames: 100 },
  l0: { waveform: 100, frames: 100 },
} as const satisfies Record<GapNorm, object>;

/** Fixed-budget attacks that are searched with, beside all of minimum norm. */
const BISECTED = ['pgd', 'apgd'];

/** White-box attacks that search in this norm, over so many variables at once. */
export const searchersOf = (norm: GapNorm, variables: number): string[] =>
  [...catalogue.values()]
    .filter(({ norms, knowledge }) => norms.includes(norm) && knowledge === 'gradients')
    .filter(({ mostVariables = variables }) => variables <= mostVariables)
    .filter(({ kind, name }) => kind === 'minimum norm' || BISECTED.includes(name))
    .map(({ name }) => name);

/** The smallest verified scale of each clip, infinite without one, and the gradients spent. */
export async function searchedScales(
  victim: Victim,
  clips: ClipBatch,
  { attack, norm, steps }: { readonly attack: string; readonly norm: GapNorm; readonly steps: number },
): Promise<{ readonly scales: readonly number[]; readonly gradients: number }> {
  const { card } = await victim.describe();
  const { scales, cost } = await criticalScales(victim, {
    threatModel: contract.ThreatModel.fromPartial({
      name: 'gap',
      variables: Object.entries(RHO[norm])
        .filter(([name]) => clips.inputs.has(name))
        .map(([variable, rho]) => ({ variable, rho })),
      norm: NORMS[norm],
      attack,
      steps,
      restarts: 1,
      seed: 1,
    }),
    modelSha256: card.sha256,
    inputs: clips.inputs,
    targets: targetsOf(clips, card.labels.length),
    clipSha256: clips.sha256,
  });
  return { scales, gradients: cost.gradientExamples };
}
