import { type AttackRun, criticalScales } from '@faultline/attack-algorithms';
import { attack as contract } from '@faultline/contracts';
import type { Victim } from '@faultline/victim';
import { type ClipBatch, targetsOf } from './shipped-clips.ts';

/** Budgets at scale 1 of each variable, in its unit: chosen so that the ladder spans from nearly all clips to nearly none. */
const RHO = {
  linf: { waveform: 0.001, frames: 0.004 },
  l2: { waveform: 0.1, frames: 1 },
  l1: { waveform: 10, frames: 100 },
} as const;
const SCALES = [0.25, 0.5, 1, 2, 4];

const NORMS = {
  linf: contract.Norm.NORM_LINF,
  l2: contract.Norm.NORM_L2,
  l1: contract.Norm.NORM_L1,
} as const;

export type StrengthNorm = keyof typeof NORMS;
export const STRENGTH_NORMS: readonly StrengthNorm[] = ['linf', 'l2', 'l1'];

/** What to measure. */
export interface StrengthOptions {
  readonly norm: StrengthNorm;
  /** Gradient steps of those attacks that iterate; draws of noise. */
  readonly gradients: number;
  readonly attacks: readonly string[];
}

/** Robust deactivation accuracies: shares of the clips that no verified example deactivated, by attack and scale. */
export interface RobustAccuracies {
  readonly norm: StrengthNorm;
  readonly scales: readonly number[];
  readonly attacks: readonly {
    readonly attack: string;
    readonly robust: readonly number[];
    readonly gradients: number;
  }[];
}

/** Runs each attack on the ladder; a success at a small budget counts at all larger ones, if a fresh prediction confirms it. */
export async function robustAccuracies(
  victim: Victim,
  clips: ClipBatch,
  { norm, gradients, attacks }: StrengthOptions,
): Promise<RobustAccuracies> {
  const measured: RobustAccuracies['attacks'][number][] = [];
  for (const attack of attacks) {
    const restarts = attack === 'noise' ? gradients : 1;
    const { scales, cost } = await criticalScales(
      victim,
      await runOf(victim, clips, { norm, attack, gradients, restarts }),
    );
    const robust = SCALES.map((budget) => scales.filter((scale) => scale > budget).length / clips.labels.length);
    measured.push({ attack, robust, gradients: cost.gradientExamples });
  }
  return { norm, scales: SCALES, attacks: measured };
}

async function runOf(
  victim: Victim,
  clips: ClipBatch,
  { norm, attack, gradients, restarts }: { norm: StrengthNorm; attack: string; gradients: number; restarts: number },
): Promise<AttackRun> {
  const { card } = await victim.describe();
  const variables = Object.entries(RHO[norm]).filter(([name]) => clips.inputs.has(name));
  return {
    threatModel: contract.ThreatModel.fromPartial({
      name: 'strength',
      variables: variables.map(([variable, rho]) => ({ variable, rho })),
      norm: NORMS[norm],
      rungs: SCALES.map((scale) => ({ scale, stopping: contract.Stopping.STOPPING_EARLY })),
      attack,
      steps: gradients,
      restarts,
      seed: 1,
    }),
    modelSha256: card.sha256,
    inputs: clips.inputs,
    targets: targetsOf(clips, card.labels.length),
    clipSha256: clips.sha256,
  };
}
