import { type AttackRun, runAttack } from '@faultline/attack-algorithms';
import { attack as contract, elementCount } from '@faultline/contracts';
import { type Cost, exampleDims, type Victim, type VictimDescription } from '@faultline/victim';

/** What is run. */
export interface WorkSize {
  readonly clips: number;
  readonly steps: number;
}

/** Budgets at scale 1: amplitude, or brightness. */
const RHO = { waveform: 0.001, frames: 0.004 };
/** Budgets that a real attack would try together; none ends before its last step. */
const SCALES = [0.25, 0.5, 1, 2];

/** Deterministic numbers in [-1, 1) that are no constant: which ones they are does not matter to the time. */
const wave = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.31) * Math.cos(i * 0.017));

/** An L-inf attack on all inputs of a victim, over the whole ladder, every step done: clips x budgets examples. */
export function attackRun({ card }: VictimDescription, attack: string, { clips, steps }: WorkSize): AttackRun {
  const targets = new Float32Array(clips * card.labels.length);
  for (let clip = 0; clip < clips; clip++) targets[clip * card.labels.length + (clip % card.labels.length)] = 1;
  return {
    threatModel: contract.ThreatModel.fromPartial({
      name: 'bench',
      variables: card.inputs.map(({ name, kind }) => ({ variable: name, rho: RHO[kind?.$case ?? 'waveform'] })),
      norm: contract.Norm.NORM_LINF,
      rungs: SCALES.map((scale) => ({ scale, stopping: contract.Stopping.STOPPING_NEVER })),
      attack,
      steps,
      restarts: 1,
      seed: 1,
    }),
    modelSha256: card.sha256,
    inputs: new Map(
      card.inputs.map((input) => {
        const dims = [clips, ...exampleDims(input)];
        const values = wave(elementCount(dims));
        const data = input.kind?.$case === 'frames' ? Uint8Array.from(values, (value) => 127 + 100 * value) : values;
        return [input.name, { dims, data }];
      }),
    ),
    targets: { dims: [clips, card.labels.length], data: targets },
    clipSha256: Array.from({ length: clips }, (_, clip) => clip.toString(16).padStart(64, '0')),
  };
}

/** Steps of all clips at all budgets. */
export const clipSteps = ({ clips, steps }: WorkSize): number => clips * SCALES.length * steps;

/** The whole attack as a caller has it: batch up, every step, candidates back. */
export async function timedAttack(
  victim: Victim,
  run: AttackRun,
): Promise<{ readonly ms: number; readonly cost: Cost }> {
  const start = performance.now();
  let cost: Cost | undefined;
  let candidates = 0;
  for await (const event of runAttack(victim, run)) {
    if (event.kind === 'result') candidates += event.result.clips.length;
    if (event.kind === 'cost') cost = event.cost;
  }
  const ms = performance.now() - start;
  const expected = SCALES.length * run.clipSha256.length;
  if (cost === undefined || candidates !== expected)
    throw new Error(`${candidates} candidates came back of ${expected}`);
  return { ms, cost };
}
