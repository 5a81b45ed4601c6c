import { median } from '../timing.ts';
import type { Case } from './case.ts';
import { ourRungs, ourSizes, ourTime, type Taken } from './our-attacks.ts';
import { peerSizes, peerTime } from './peer-attacks.ts';
import type { PeerProcess } from './peer-process.ts';
import type { Problem } from './problem.ts';

/** What attacks left standing: shares of the clips, by budget. */
export interface RobustRow {
  readonly attack: string;
  readonly ours: boolean;
  readonly robust: readonly number[];
}

/** Attacks of fixed budget with equally many steps; a success at a small budget counts at the larger ones. */
export async function robustContest(
  given: Case,
  peers: PeerProcess,
  problem: Problem,
  options: { readonly steps: number; readonly epsilons: readonly number[]; readonly attacks: Contestants },
): Promise<RobustRow[]> {
  const { steps, epsilons, attacks } = options;
  const rows: RobustRow[] = [];
  const add = (attack: string, ours: boolean, smallest: readonly number[]) => {
    const robust = epsilons.map((epsilon) => smallest.filter((reached) => reached > epsilon).length / given.size);
    rows.push({ attack, ours, robust });
  };
  for (const attack of attacks.ours) add(attack, true, await ourRungs(given, problem, attack, { steps, epsilons }));
  for (const name of attacks.peers) {
    const smallest: number[] = Array(given.size).fill(Number.POSITIVE_INFINITY);
    for (const epsilon of epsilons) {
      const sizes = await peerSizes(peers, given, problem, { name, steps, epsilon });
      for (const [clip, size] of sizes.entries()) {
        if (Number.isFinite(size)) smallest[clip] = Math.min(epsilon, smallest[clip] ?? epsilon);
      }
    }
    add(name, false, smallest);
  }
  return rows;
}

export interface Contestants {
  readonly ours: readonly string[];
  readonly peers: readonly string[];
}

/** The median of the smallest confirmed perturbations, in units of the ranges. */
export interface NormRow {
  readonly attack: string;
  readonly ours: boolean;
  readonly median: number;
  readonly found: number;
}

export async function normContest(
  given: Case,
  peers: PeerProcess,
  problem: Problem,
  { steps, attacks }: { readonly steps: number; readonly attacks: Contestants },
): Promise<NormRow[]> {
  const rows: NormRow[] = [];
  const add = (attack: string, ours: boolean, sizes: readonly number[]) =>
    rows.push({ attack, ours, median: median(sizes), found: sizes.filter(Number.isFinite).length });
  for (const attack of attacks.ours) add(attack, true, await ourSizes(given, problem, attack, steps));
  for (const name of attacks.peers) add(name, false, await peerSizes(peers, given, problem, { name, steps }));
  return rows;
}

/** Clips x steps a second. */
export interface SpeedRow {
  readonly attack: string;
  readonly ours: boolean;
  readonly clipStepsPerSecond: number;
  readonly clipStepsPerProcessorSecond: number;
}

/** In turns, at a budget that nothing reaches; the first turn of each does not count. */
export async function speedContest(
  given: Case,
  peers: PeerProcess,
  problem: Problem,
  options: { readonly steps: number; readonly epsilon: number; readonly rounds: number; readonly attacks: Contestants },
): Promise<SpeedRow[]> {
  const { steps, epsilon, rounds, attacks } = options;
  const turns = [
    ...attacks.ours.map((attack) => ({
      attack,
      ours: true,
      run: () => ourTime(given, problem, attack, steps, epsilon),
    })),
    ...attacks.peers.map((name) => ({
      attack: name,
      ours: false,
      run: () => peerTime(peers, problem, { name, steps, epsilon }),
    })),
  ];
  const taken = turns.map((): Taken[] => []);
  for (const { run } of turns) await run();
  for (let round = 0; round < rounds; round++) {
    for (const [index, { run }] of turns.entries()) taken[index]?.push(await run());
  }
  const clipSteps = given.size * steps;
  return turns.map(({ attack, ours }, index) => ({
    attack,
    ours,
    clipStepsPerSecond: clipSteps / median((taken[index] ?? []).map(({ seconds }) => seconds)),
    clipStepsPerProcessorSecond:
      clipSteps / median((taken[index] ?? []).map(({ processorSeconds }) => processorSeconds)),
  }));
}
