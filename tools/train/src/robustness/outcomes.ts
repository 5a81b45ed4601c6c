import { readFile, writeFile } from 'node:fs/promises';
import type { Victim } from '@faultline/victim';
import type { RobustnessSetting } from './arguments.ts';
import type { AttackedClips } from './attacked-clips.ts';
import { criticalRungs, type LadderAttack } from './critical-rungs.ts';

/** What became of each clip under one choice of variables; see `criticalRungs`. */
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
  const { epsilons, scales, steps, restarts, seed } = setting;
  const budgets = new Map(Object.entries(epsilons));
  const threats: ThreatOutcome[] = [];
  for (const variables of threatsOf(card.inputs.map(({ name }) => name))) {
    const ladder: Omit<LadderAttack, 'attack'> = {
      epsilons: new Map(variables.map((name) => [name, budgets.get(name) ?? Number.NaN])),
      scales,
      steps,
      restarts,
      seed,
    };
    const attacked = await criticalRungs(victim, clips, { ...ladder, attack: 'pgd' });
    // As many draws as the attack takes gradients.
    const draws = steps * restarts;
    const noise = await criticalRungs(victim, clips, { ...ladder, attack: 'noise', steps: 1, restarts: draws });
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
