import { createHash } from 'node:crypto';
import { attack, type DenseTensor } from '@faultline/contracts';
import type { Cost, Tensors, Victim } from '@faultline/victim';
import type { NormName } from '../attack.ts';
import type { AttackRun } from '../request.ts';
import { type RungCandidates, runAttack } from '../run-attack.ts';

const { NORM_LINF, NORM_L2, NORM_L1, NORM_L0 } = attack.Norm;
const NORMS = { linf: NORM_LINF, l2: NORM_L2, l1: NORM_L1, l0: NORM_L0 } as const;
const STOPPINGS = { early: attack.Stopping.STOPPING_EARLY, never: attack.Stopping.STOPPING_NEVER } as const;

export interface RunOptions {
  readonly inputs: Tensors;
  /** True labels of each clip. */
  readonly labels: readonly (readonly number[])[];
  readonly labelCount: number;
  readonly norm: NormName;
  readonly budgets: ReadonlyMap<string, number>;
  readonly rungs: readonly (readonly [scale: number, stopping: keyof typeof STOPPINGS])[];
  readonly attack?: string;
  readonly steps?: number;
  readonly restarts?: number;
  readonly seed?: number;
  readonly maxScale?: number;
  readonly parameters?: Readonly<Record<string, number | string>>;
  readonly regions?: ReadonlyMap<string, attack.Region>;
  /** What else the budget of a variable says. */
  readonly own?: ReadonlyMap<string, Parameters<typeof attack.VariableBudget.fromPartial>[0]>;
  readonly goal?: attack.Goal;
  readonly surrogate?: string;
  readonly masks?: ReadonlyMap<string, Float32Array>;
}

/** A complete request from the parts that a test cares for. */
export function runOf(options: RunOptions): AttackRun {
  const { labels, labelCount, norm, budgets, rungs, regions = new Map(), own = new Map(), parameters = {} } = options;
  const targets = new Float32Array(labels.length * labelCount);
  for (const [clip, active] of labels.entries()) for (const label of active) targets[clip * labelCount + label] = 1;
  return {
    threatModel: {
      name: `${norm}-test`,
      variables: Array.from(budgets, ([variable, rho]) =>
        attack.VariableBudget.fromPartial({ variable, rho, region: regions.get(variable), ...own.get(variable) }),
      ),
      norm: NORMS[norm],
      rungs: rungs.map(([scale, stopping]) => ({ scale, stopping: STOPPINGS[stopping] })),
      attack: options.attack ?? 'pgd',
      steps: options.steps ?? 20,
      restarts: options.restarts ?? 1,
      seed: options.seed ?? 1,
      goal: options.goal,
      maxScale: options.maxScale,
      attackName: '',
      craft: undefined,
      surrogate: options.surrogate ?? '',
      furtherAttacks: [],
      parameters: Object.entries(parameters).map(([name, value]) => ({
        name,
        value: typeof value === 'number' ? { $case: 'number', value } : { $case: 'choice', value },
      })),
    },
    modelSha256: '',
    inputs: options.inputs,
    targets: { dims: [labels.length, labelCount], data: targets },
    clipSha256: labels.map((_, clip) => createHash('sha256').update(`clip ${clip}`).digest('hex')),
    masks: options.masks,
  };
}

/** One candidate, cut out of its rung. */
export interface Row {
  readonly rung: number;
  readonly clip: number;
  readonly margin: number;
  readonly point: ReadonlyMap<string, Float32Array>;
}

/** Runs an attack to its end. */
export async function collect(
  victim: Victim,
  run: AttackRun,
): Promise<{ rows: Row[]; cost: Cost | undefined; results: RungCandidates[] }> {
  const results: RungCandidates[] = [];
  let cost: Cost | undefined;
  for await (const event of runAttack(victim, run)) {
    if (event.kind === 'result') results.push(event.result);
    if (event.kind === 'cost') cost = event.cost;
  }
  return { rows: results.flatMap(rowsOf), cost, results };
}

function rowsOf({ rung, clips, adversarial, margins }: RungCandidates): Row[] {
  return clips.map((clip, row) => ({
    rung,
    clip,
    margin: margins[row] ?? Number.NaN,
    point: new Map(Array.from(adversarial, ([name, tensor]) => [name, rowData(tensor, row)])),
  }));
}

function rowData({ dims, data }: DenseTensor<Float32Array>, row: number): Float32Array {
  const size = data.length / (dims[0] ?? 1);
  return data.subarray(row * size, (row + 1) * size);
}
