import { catalogue, runAttack } from '@faultline/attack-algorithms';
import { attack as contract, type DenseTensor, sliceRows } from '@faultline/contracts';
import { type Victim, verdictTolerance } from '@faultline/victim';
import type { ClipBatch } from '../strength/shipped-clips.ts';

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
export async function criticalScales(
  victim: Victim,
  { inputs, labels, sha256 }: ClipBatch,
  { attack, norm, steps }: { readonly attack: string; readonly norm: GapNorm; readonly steps: number },
): Promise<{ readonly scales: readonly number[]; readonly gradients: number }> {
  const { card } = await victim.describe();
  const count = card.labels.length;
  const targets = new Float32Array(labels.length * count);
  for (const [clip, active] of labels.entries()) for (const label of active) targets[clip * count + label] = 1;
  const threatModel = contract.ThreatModel.fromPartial({
    name: 'gap',
    variables: Object.entries(RHO[norm])
      .filter(([name]) => inputs.has(name))
      .map(([variable, rho]) => ({ variable, rho })),
    norm: NORMS[norm],
    attack,
    steps,
    restarts: 1,
    seed: 1,
  });
  const run = {
    threatModel,
    modelSha256: '',
    inputs,
    targets: { dims: [labels.length, count], data: targets },
    clipSha256: sha256,
  };
  const scales: number[] = Array(labels.length).fill(Number.POSITIVE_INFINITY);
  let gradients = 0;
  for await (const event of runAttack(victim, run)) {
    if (event.kind === 'cost') gradients = event.cost.gradientExamples;
    if (event.kind !== 'search') continue;
    const { clips, adversarial, scales: found } = event.result;
    for (const [row, clip] of clips.entries()) {
      const point = new Map(
        Array.from(inputs, ([name, clean]): [string, DenseTensor] => {
          const changed = adversarial.get(name);
          return [name, changed === undefined ? sliceRows(clean, clip, clip + 1) : sliceRows(changed, row, row + 1)];
        }),
      );
      const { logits } = await victim.predict(point);
      const margin = Math.max(
        ...(labels[clip] ?? []).map((label) => (logits.data[label] ?? 0) - (card.labels[label]?.threshold ?? 0)),
      );
      if (margin <= -verdictTolerance(card)) scales[clip] = found[row] ?? Number.POSITIVE_INFINITY;
    }
  }
  return { scales, gradients };
}
