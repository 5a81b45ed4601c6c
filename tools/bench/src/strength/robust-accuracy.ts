import { type AttackRun, runAttack } from '@faultline/attack-algorithms';
import { attack as contract, type DenseTensor, sliceRows } from '@faultline/contracts';
import { type Victim, verdictTolerance } from '@faultline/victim';
import type { ClipBatch } from './shipped-clips.ts';

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
    const { smallest, spent } = await verifiedRungs(
      victim,
      clips,
      await runOf(victim, clips, { norm, attack, gradients, restarts }),
    );
    const robust = SCALES.map((_, rung) => smallest.filter((reached) => reached > rung).length / clips.labels.length);
    measured.push({ attack, robust, gradients: spent });
  }
  return { norm, scales: SCALES, attacks: measured };
}

async function runOf(
  victim: Victim,
  { inputs, labels, sha256 }: ClipBatch,
  { norm, attack, gradients, restarts }: { norm: StrengthNorm; attack: string; gradients: number; restarts: number },
): Promise<AttackRun> {
  const { card } = await victim.describe();
  const count = card.labels.length;
  const targets = new Float32Array(labels.length * count);
  for (const [clip, active] of labels.entries()) for (const label of active) targets[clip * count + label] = 1;
  const variables = Object.entries(RHO[norm]).filter(([name]) => inputs.has(name));
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
    inputs,
    targets: { dims: [labels.length, count], data: targets },
    clipSha256: sha256,
  };
}

/** By clip the smallest rung that a fresh prediction confirms, beyond the ladder where there is none; and the gradients that the attack took. */
async function verifiedRungs(victim: Victim, clips: ClipBatch, run: AttackRun) {
  const { card } = await victim.describe();
  const smallest = clips.labels.map(() => SCALES.length);
  let spent = 0;
  for await (const event of runAttack(victim, run)) {
    if (event.kind === 'cost') spent = event.cost.gradientExamples;
    if (event.kind !== 'result') continue;
    const { rung, clips: rows, adversarial } = event.result;
    for (const [row, clip] of rows.entries()) {
      const inputs = new Map<string, DenseTensor>();
      for (const [name, clean] of clips.inputs) {
        const tensor = adversarial.get(name);
        inputs.set(name, tensor === undefined ? sliceRows(clean, clip, clip + 1) : sliceRows(tensor, row, row + 1));
      }
      const { logits } = await victim.predict(inputs);
      const heights = (clips.labels[clip] ?? []).map(
        (label) => (logits.data[label] ?? 0) - (card.labels[label]?.threshold ?? 0),
      );
      const isOff = Math.max(...heights) <= -verdictTolerance(card);
      if (isOff) smallest[clip] = Math.min(rung, smallest[clip] ?? rung);
    }
  }
  return { smallest, spent };
}
