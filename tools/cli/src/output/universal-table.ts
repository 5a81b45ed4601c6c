import type { Report, UniversalFigures } from '@faultline/report';
import type { UniversalFiguresJson, UniversalRungJson, UniversalScoreJson } from '../scores/universal-scores.ts';
import { budget, percent, ratio } from './figures.ts';
import { textTable } from './text-table.ts';

const LEGEND = [
  'One perturbation for all clips: RA and mAP on clips of other sources than those that it was crafted on, attack/noise; in brackets 95 % of RA.',
  'norm: what it really reached, which for the legacy form counts in place of the budget; noise has the same norm.',
];

const NONE = '-';

/** What a table tells of one victim. */
type Row = Pick<UniversalScoreJson, 'victim' | 'form' | 'crafted' | 'tested' | 'clean'> & {
  readonly rungs: readonly Pick<UniversalRungJson, 'epsilons' | 'norms' | 'rejection' | 'attack' | 'noise'>[];
};

const norms = (by: Readonly<Record<string, number>>): string =>
  Object.entries(by)
    .map(([variable, norm]) => `${variable} ${budget(norm)}`)
    .join(', ');

const range = ({ interval }: UniversalFiguresJson): string =>
  interval === null ? '' : ` (${percent(interval.low)}-${percent(interval.high)})`;

/** A block a universal threat model of a campaign, a line a victim and budget; nothing where none was asked for. */
export function universalTable({ campaign: { universals }, victims }: Report): string[] {
  if (universals.length === 0) return [];
  const blocks = universals.map(({ name, norm }) => ({
    title: name,
    norm,
    rows: victims.flatMap(({ name: victim, universals: results }) =>
      results.filter(({ threatModel }) => threatModel === name).map((result) => ({ ...plainFigures(result), victim })),
    ),
  }));
  return [...blocks.flatMap(({ title, norm, rows }) => ['', ...modelTable(title, norm, rows)]), '', ...LEGEND];
}

/** The same of one threat model that was scored on a few clips; nothing without a result. */
export function universalScoreTable(title: string, norm: string, scores: readonly UniversalScoreJson[]): string[] {
  return scores.length === 0 ? [] : [...modelTable(title, norm, scores), '', ...LEGEND];
}

const plain = ({ ranking: { meanAveragePrecision }, ...same }: UniversalFigures): UniversalFiguresJson => ({
  ...same,
  meanAveragePrecision,
});

const plainFigures = ({ clean, rungs, ...same }: Report['victims'][number]['universals'][number]) => ({
  ...same,
  clean: plain(clean),
  rungs: rungs.map((rung) => ({ ...rung, attack: plain(rung.attack), noise: plain(rung.noise) })),
});

function modelTable(title: string, norm: string, results: readonly Row[]): string[] {
  const [first] = results;
  const split = first && `crafted on ${first.crafted.length} clips, tested on ${first.tested.length}`;
  const columns = ['budget', 'norm', 'RA', 'success', 'mAP'].map((column) => ({ title: column }));
  const rows = results.flatMap(({ victim, clean, rungs }) => [
    [victim, 'clean', NONE, percent(clean.robustAccuracy) + range(clean), NONE, ratio(clean.meanAveragePrecision)],
    ...rungs.map(({ epsilons, norms: reached, rejection, attack, noise }) => [
      victim,
      norms(epsilons),
      norms(reached) + (rejection === null ? '' : ` ${rejection}`),
      `${percent(attack.robustAccuracy)}/${percent(noise.robustAccuracy)}${range(attack)}`,
      attack.success === null ? NONE : percent(attack.success),
      `${ratio(attack.meanAveragePrecision)}/${ratio(noise.meanAveragePrecision)}`,
    ]),
  ]);
  return [
    `${title} (${norm}, ${first?.form ?? ''}; ${split ?? ''})`,
    ...textTable([{ title: 'variant', align: 'left' }, ...columns], rows),
  ];
}
