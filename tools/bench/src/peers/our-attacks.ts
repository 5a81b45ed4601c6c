import { type AttackRun, runAttack } from '@faultline/attack-algorithms';
import { attack as contract } from '@faultline/contracts';
import type { Case } from './case.ts';
import { NORMS, type Problem, sizeOf, WIDTH } from './problem.ts';

/** Scale 1 is a budget of this size for an input in [0, 1]: about where the libraries' searches begin, as ours do at scale 1. */
const UNITS = { linf: 1e-3, l2: 1, l1: 10, l0: 100 } as const satisfies Record<Problem['norm'], number>;

function runOf(
  { clips, targets }: Case,
  { norm, variables }: Problem,
  model: Pick<contract.ThreatModel, 'attack' | 'steps'> & Partial<contract.ThreatModel>,
): AttackRun {
  return {
    threatModel: contract.ThreatModel.fromPartial({
      name: 'peers',
      variables: variables.map((variable) => ({ variable, rho: UNITS[norm] * WIDTH[variable] })),
      norm: NORMS[norm],
      restarts: 1,
      seed: 1,
      ...model,
    }),
    modelSha256: '',
    inputs: clips.inputs,
    targets,
    clipSha256: clips.sha256,
  };
}

/** For each clip, the smallest of the budgets at which a fresh prediction confirms the attack; infinite without one. */
export async function ourRungs(
  given: Case,
  problem: Problem,
  attack: string,
  { steps, epsilons }: { readonly steps: number; readonly epsilons: readonly number[] },
): Promise<number[]> {
  const rungs = epsilons.map((epsilon) => ({
    scale: epsilon / UNITS[problem.norm],
    stopping: contract.Stopping.STOPPING_EARLY,
  }));
  const smallest: number[] = Array(given.size).fill(Number.POSITIVE_INFINITY);
  for await (const event of runAttack(given.victim, runOf(given, problem, { attack, steps, rungs }))) {
    if (event.kind !== 'result') continue;
    const epsilon = epsilons[event.result.rung] ?? Number.POSITIVE_INFINITY;
    for (const [row, clip] of event.result.clips.entries()) {
      const isOff = await given.isOff(clip, given.point(clip, event.result.adversarial, row));
      if (isOff) smallest[clip] = Math.min(epsilon, smallest[clip] ?? epsilon);
    }
  }
  return smallest;
}

/** The size of the smallest confirmed perturbation of each clip, infinite without one. */
export async function ourSizes(given: Case, problem: Problem, attack: string, steps: number): Promise<number[]> {
  const sizes: number[] = Array(given.size).fill(Number.POSITIVE_INFINITY);
  for await (const event of runAttack(given.victim, runOf(given, problem, { attack, steps }))) {
    if (event.kind !== 'search') continue;
    for (const [row, clip] of event.result.clips.entries()) {
      const point = given.point(clip, event.result.adversarial, row);
      if (await given.isOff(clip, point)) sizes[clip] = sizeOf(problem, given.clean(clip), point);
    }
  }
  return sizes;
}

/** What an attack takes: by the clock, and of all processors together; the latter hardly depends on what else the machine does. */
export interface Taken {
  readonly seconds: number;
  readonly processorSeconds: number;
}

const MICROSECONDS = 1e6;

/** What an attack takes at one budget in which no clip leaves before the last step. */
export async function ourTime(
  given: Case,
  problem: Problem,
  attack: string,
  steps: number,
  epsilon: number,
): Promise<Taken> {
  const rungs = [{ scale: epsilon / UNITS[problem.norm], stopping: contract.Stopping.STOPPING_NEVER }];
  const [started, used] = [performance.now(), process.cpuUsage()];
  for await (const event of runAttack(given.victim, runOf(given, problem, { attack, steps, rungs }))) {
    if (event.kind === 'cost' && event.cost.gradientExamples < steps * given.size) {
      throw new Error(
        `'${attack}' took ${event.cost.gradientExamples} gradients, not ${steps} for each of ${given.size} clips`,
      );
    }
  }
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(used);
  return { seconds, processorSeconds: (user + system) / MICROSECONDS };
}
