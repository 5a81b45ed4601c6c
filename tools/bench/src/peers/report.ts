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
const NAME_WIDTH = 20;
const CELL = 9;
const cell = (text: string): string => text.padStart(CELL);
const named = (attack: string, ours: boolean): string => `${whose(ours).padEnd(5)}${attack.padEnd(NAME_WIDTH)}`;

export function speedLines(rows: readonly SpeedRow[]): string[] {
  return [
    'clip-steps a second, in turns',
    ...rows.map(({ attack, ours, clipStepsPerSecond }) => named(attack, ours) + cell(clipStepsPerSecond.toFixed(0))),
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

/** Our pace over that of a library, for the attacks that both have. */
export function speedRatios(rows: readonly SpeedRow[], library: string): number[] {
  return rows.flatMap(({ attack, ours, clipStepsPerSecond }) => {
    const [name, kind] = attack.split(' ');
    const own = rows.find((row) => row.ours && row.attack === kind);
    return ours || name !== library || own === undefined ? [] : [own.clipStepsPerSecond / clipStepsPerSecond];
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
