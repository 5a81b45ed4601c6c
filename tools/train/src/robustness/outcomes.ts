import { readFile, writeFile } from 'node:fs/promises';
import { criticalScales } from '@faultline/attack-algorithms';
import { attack as contract } from '@faultline/contracts';
import type { Victim } from '@faultline/victim';
import type { RobustnessSetting } from './arguments.ts';
import type { AttackedClips } from './attacked-clips.ts';

/** The rung of clips that are off when clean. */
export const OFF_WHEN_CLEAN = -1;

/** By clip the smallest rung that turns it off under one choice of variables: `OFF_WHEN_CLEAN`, or the number of rungs where none does. */
export interface ThreatOutcome {
  readonly variables: readonly string[];
  readonly attacked: readonly number[];
  readonly noise: readonly number[];
}

/** What became of a victim's clips: kept, so that victims can be compared clip by clip. */
export interface Outcomes {
  readonly victim: string;
  readonly modelSha256: string;
  /** Whether clips are on depends on the thresholds too. */
  readonly thresholds: readonly number[];
  readonly setting: RobustnessSetting;
  readonly clips: readonly string[];
  readonly threats: readonly ThreatOutcome[];
}

/** Each input by itself, and all at once where there are several. */
export function threatsOf(inputs: readonly string[]): readonly (readonly string[])[] {
  return inputs.length > 1 ? [...inputs.map((name) => [name]), inputs] : [inputs];
}

/** Attacks a victim's inputs, each and all, and draws as much noise beside. */
export async function measureOutcomes(
  victim: Victim,
  clips: AttackedClips,
  setting: RobustnessSetting,
  onThreat: (threat: ThreatOutcome) => void = () => {},
): Promise<Outcomes> {
  const { card } = await victim.describe();
  const { steps, restarts } = setting;
  const threats: ThreatOutcome[] = [];
  for (const variables of threatsOf(card.inputs.map(({ name }) => name))) {
    const attacked = await criticalRungs(victim, clips, setting, variables, { attack: 'pgd', steps, restarts });
    // As many draws as the attack takes gradients.
    const draws = { attack: 'noise', steps: 1, restarts: steps * restarts };
    const noise = await criticalRungs(victim, clips, setting, variables, draws);
    // What turns a clip off within the budget of some variables does so within the joint budget too.
    const within = threats.filter((part) => part.variables.every((name) => variables.includes(name)));
    const threat = {
      variables,
      attacked: smallestOf([attacked, ...within.map((part) => part.attacked)]),
      noise: smallestOf([noise, ...within.map((part) => part.noise)]),
    };
    threats.push(threat);
    onThreat(threat);
  }
  return {
    victim: card.name,
    modelSha256: card.sha256,
    thresholds: card.labels.map(({ threshold }) => threshold),
    setting,
    clips: clips.sha256,
    threats,
  };
}

async function criticalRungs(
  victim: Victim,
  { inputs, targets, sha256 }: AttackedClips,
  { epsilons, scales, seed }: RobustnessSetting,
  variables: readonly string[],
  attack: Pick<contract.ThreatModel, 'attack' | 'steps' | 'restarts'>,
): Promise<number[]> {
  const budgets = new Map(Object.entries(epsilons));
  const { scales: critical } = await criticalScales(victim, {
    threatModel: contract.ThreatModel.fromPartial({
      ...attack,
      name: variables.join('-'),
      variables: variables.map((variable) => ({ variable, rho: budgets.get(variable) ?? Number.NaN })),
      norm: contract.Norm.NORM_LINF,
      rungs: scales.map((scale) => ({ scale, stopping: contract.Stopping.STOPPING_EARLY })),
      seed,
    }),
    modelSha256: (await victim.describe()).card.sha256,
    inputs,
    targets,
    clipSha256: sha256,
  });
  return critical.map((found) => (found === 0 ? OFF_WHEN_CLEAN : scales.filter((scale) => scale < found).length));
}

const smallestOf = (lists: readonly (readonly number[])[]): number[] =>
  (lists[0] ?? []).map((_, clip) => Math.min(...lists.map((rungs) => rungs[clip] ?? Number.POSITIVE_INFINITY)));

export const writeOutcomes = (path: string, outcomes: Outcomes): Promise<void> =>
  writeFile(path, `${JSON.stringify(outcomes)}\n`);

/** @throws RangeError when there are none. */
export async function readOutcomes(path: string): Promise<Outcomes> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new RangeError(`${path} cannot be read; measure that victim first, with the same options`, { cause });
  });
  return JSON.parse(text);
}
