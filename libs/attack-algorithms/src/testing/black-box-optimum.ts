import assert from 'node:assert/strict';
import { sliceRows } from '@faultline/contracts';
import type { Victim } from '@faultline/victim';
import type { BallNorm } from '../projection.ts';
import { collect, runOf } from './attack-run.ts';
import { criticalScale } from './linear-optimum.ts';
import type { LinearVictim } from './linear-victim.ts';

const BUDGETS = {
  linf: { waveform: 0.3, frames: 0.2 },
  l2: { waveform: 6, frames: 4 },
  l1: { waveform: 40, frames: 20 },
} as const satisfies Record<BallNorm, object>;

/** Share of the optimum by which black-box attacks may miss it, at a stated number of coordinates and queries. */
const TOLERANCE = 0.15;

/** What is asked of a black-box attack on a linear victim. */
export interface BlackBoxCase {
  readonly attack: string;
  readonly norm: BallNorm;
  readonly queries: number;
  readonly variables?: readonly string[];
  readonly parameters?: Readonly<Record<string, number | string>>;
}

/**
 * Asserts that the attack reaches the goal of one clip at 1.15 x the closed-form optimum within its query budget. 40 % of
 * the coordinates stand at an end of their range. `victim`: the linear one, or whatever stands before it.
 */
export async function assertNearOptimum(
  linear: LinearVictim,
  { attack, norm, queries, variables = ['waveform', 'frames'], parameters = {} }: BlackBoxCase,
  victim: Victim = linear.victim,
): Promise<void> {
  const clips = linear.clips(1, 0.4, 2);
  const margins = linear.margins(clips, 0);
  const label = margins.indexOf(Math.max(...margins));
  const budgets = new Map(Object.entries(BUDGETS[norm]).filter(([name]) => variables.includes(name)));
  const critical = criticalScale(linear.problem(clips, 0, [label], norm, budgets));
  const { rows, cost } = await collect(
    victim,
    runOf({
      inputs: new Map(Array.from(clips, ([name, tensor]) => [name, sliceRows(tensor, 0, 1)])),
      labels: [[label]],
      labelCount: linear.card.labels.length,
      norm,
      budgets,
      attack,
      rungs: [[(1 + TOLERANCE) * critical, 'early']],
      parameters: { queries, ...parameters },
    }),
  );
  assert.deepEqual(
    rows.map(({ rung }) => rung),
    [0],
    `${attack} did not reach 1.15 x the optimum within ${queries} queries`,
  );
  assert.equal(cost?.gradientExamples, 0);
  assert.ok((cost?.forwardExamples ?? Number.NaN) <= queries, `${cost?.forwardExamples} of ${queries} queries`);
}
