import { type Row, tableOf } from '../markdown-table.ts';
import type { NormRow, RobustRow, SpeedRow } from './contests.ts';

/** What was measured on a victim. */
export interface VictimReport {
  readonly victim: string;
  readonly clips: number;
  readonly logitDifference: number;
  readonly speed: readonly SpeedRow[];
  readonly robust: readonly {
    readonly problem: string;
    readonly epsilons: readonly number[];
    readonly rows: readonly RobustRow[];
  }[];
  readonly norms: readonly { readonly problem: string; readonly rows: readonly NormRow[] }[];
}

/** Robust accuracy above the best library's, at most; size over the best library's; pace over theirs, at least. */
const TARGETS = { robust: 0.01, norm: 1.03, foolbox: 2, art: 3 } as const;

const whose = (ours: boolean): string => (ours ? 'ours' : '');
const NAME_WIDTH = 25;
const CELL = 9;
const cell = (text: string): string => text.padStart(CELL);
const named = (attack: string, ours: boolean): string => `${whose(ours).padEnd(5)}${attack.padEnd(NAME_WIDTH)}`;

export function speedLines(rows: readonly SpeedRow[]): string[] {
  return [
    'clip-steps a second, and a second of processor time, in turns',
    ...rows.map(
      ({ attack, ours, clipStepsPerSecond, clipStepsPerProcessorSecond }) =>
        named(attack, ours) + cell(clipStepsPerSecond.toFixed(0)) + cell(clipStepsPerProcessorSecond.toFixed(0)),
    ),
  ];
}

export function robustLines(problem: string, epsilons: readonly number[], rows: readonly RobustRow[]): string[] {
  const percent = (share: number) => cell(`${(100 * share).toFixed(1)} %`);
  return [
    `robust accuracy, ${problem}, budgets in units of the ranges`,
    named('', false) + epsilons.map((epsilon) => cell(String(epsilon))).join(''),
    ...rows.map(({ attack, ours, robust }) => named(attack, ours) + robust.map(percent).join('')),
  ];
}

export function normLines(problem: string, rows: readonly NormRow[]): string[] {
  return [
    `median of the smallest perturbations, ${problem}, and how many were found`,
    ...rows.map(
      ({ attack, ours, median, found }) => named(attack, ours) + cell(median.toPrecision(4)) + cell(String(found)),
    ),
  ];
}

/** The largest amount by which the best of ours is above the best of theirs, over the budgets. */
export function robustExcess(rows: readonly RobustRow[]): number {
  const best = (ours: boolean, rung: number) =>
    Math.min(...rows.filter((row) => row.ours === ours).map(({ robust }) => robust[rung] ?? Number.NaN));
  return Math.max(...(rows[0]?.robust ?? []).map((_, rung) => best(true, rung) - best(false, rung)));
}

/** The best of ours over the best of theirs. */
export function normRatio(rows: readonly NormRow[]): number {
  const best = (ours: boolean) => Math.min(...rows.filter((row) => row.ours === ours).map(({ median }) => median));
  return best(true) / best(false);
}

/** Ends the name of a library's attack that computes the gradients of all weights too, as its own examples do. */
export const WITH_WEIGHTS = ' with weights';

/** Our pace over that of a library, by processor time, for the attacks that both have; with the weights' gradients, or without. */
export function speedRatios(rows: readonly SpeedRow[], library: string, weights = false): number[] {
  return rows.flatMap(({ attack, ours, clipStepsPerProcessorSecond }) => {
    const [name, kind] = attack.split(' ');
    const own = rows.find((row) => row.ours && row.attack === kind);
    return ours || name !== library || own === undefined || attack.endsWith(WITH_WEIGHTS) !== weights
      ? []
      : [own.clipStepsPerProcessorSecond / clipStepsPerProcessorSecond];
  });
}

interface Target {
  readonly title: string;
  readonly value: number;
  readonly reached: boolean;
}

/** Each target, measured. */
export function summarise(reports: readonly VictimReport[]): { readonly lines: string[]; readonly targets: Target[] } {
  const targets = reports.flatMap(({ victim, speed, robust, norms }): Target[] => [
    ...(['foolbox', 'art'] as const).map((library) => {
      const value = Math.min(...speedRatios(speed, library));
      const title = `${victim}: pace over ${library}'s, at least ${TARGETS[library]}`;
      return { title, value, reached: value >= TARGETS[library] };
    }),
    ...robust.map(({ problem, rows }) => {
      const value = robustExcess(rows);
      const title = `${victim}: robust accuracy above the best library's, ${problem}, at most ${TARGETS.robust}`;
      return { title, value, reached: value <= TARGETS.robust };
    }),
    ...norms.map(({ problem, rows }) => {
      const value = normRatio(rows);
      const title = `${victim}: smallest perturbation over the best library's, ${problem}, at most ${TARGETS.norm}`;
      return { title, value, reached: value <= TARGETS.norm };
    }),
  ]);
  const lines = targets.map(({ title, value, reached }) => `${reached ? 'yes' : 'NO '} ${value.toFixed(3)}  ${title}`);
  return { lines, targets };
}

/** What the figures of a report were measured with. */
export interface Settings {
  readonly steps: number;
  readonly searchSteps: number;
  readonly threads: number;
}

const best = (rows: readonly NormRow[], ours: boolean): NormRow | undefined =>
  rows.filter((row) => row.ours === ours).toSorted((a, b) => a.median - b.median)[0];

const medianOf = (row: NormRow | undefined): string =>
  row === undefined ? '-' : `${row.median.toPrecision(4)} (${row.attack}, ${row.found} found)`;

const paceRow = (victim: string, rows: readonly SpeedRow[]): Row => ({
  victim,
  ...Object.fromEntries(
    rows
      .filter(({ attack }) => !attack.endsWith(WITH_WEIGHTS))
      .map(({ attack, clipStepsPerProcessorSecond: pace }) => [attack, pace.toFixed(0)]),
  ),
  'over foolbox': speedRatios(rows, 'foolbox').map(times).join(', '),
  'over art': speedRatios(rows, 'art').map(times).join(', '),
  'over both with weights': ['foolbox', 'art'].flatMap((name) => speedRatios(rows, name, true).map(times)).join(', '),
});

const times = (ratio: number): string => `${ratio.toFixed(2)} x`;
const percent = (share: number): string => (100 * share).toFixed(0);

function robustRow(victim: string, { problem, epsilons, rows }: VictimReport['robust'][number]): Row {
  const lowest = (ours: boolean) =>
    epsilons.map((_, rung) =>
      Math.min(...rows.filter((row) => row.ours === ours).map(({ robust }) => robust[rung] ?? Number.NaN)),
    );
  return {
    victim,
    problem,
    budgets: epsilons.join(' '),
    'ours, %': lowest(true).map(percent).join(' '),
    'theirs, %': lowest(false).map(percent).join(' '),
    'above theirs': `${(100 * robustExcess(rows)).toFixed(1)} points`,
  };
}

/** Everything as Markdown, the best attack of each side in each contest. */
export function markdownOf(reports: readonly VictimReport[], { steps, searchSteps, threads }: Settings): string {
  const sizes = reports.map(({ victim, clips, logitDifference }) => {
    return `${victim} ${clips} clips (logits of the twin within ${logitDifference.toExponential(1)})`;
  });
  return [
    `${sizes.join(', ')}; ${steps} steps, searches ${searchSteps}; ${threads} thread(s). Clip-steps a second of processor time, in turns:\n`,
    tableOf(reports.map(({ victim, speed }) => paceRow(victim, speed))),
    'Robust accuracy at the budgets (in units of the ranges), the lowest of each side:\n',
    tableOf(reports.flatMap(({ victim, robust }) => robust.map((contest) => robustRow(victim, contest)))),
    'Median of the smallest perturbations, the lowest of each side:\n',
    tableOf(
      reports.flatMap(({ victim, norms }) =>
        norms.map(({ problem, rows }) => ({
          victim,
          problem,
          ours: medianOf(best(rows, true)),
          theirs: medianOf(best(rows, false)),
          ratio: normRatio(rows).toFixed(3),
        })),
      ),
    ),
  ].join('\n');
}
