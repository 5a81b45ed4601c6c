import type { Report, UniversalFigures, UniversalModelReport } from '@faultline/report';
import { budget, percent, ratio } from './figures.ts';
import { textTable } from './text-table.ts';

const LEGEND = [
  'One perturbation for all clips: RA and mAP on clips of other sources than those that it was crafted on, attack/noise; in brackets 95 % of RA.',
  'norm: what it really reached, which for the legacy form counts in place of the budget; noise has the same norm.',
];

const NONE = '-';

const norms = (by: Readonly<Record<string, number>>): string =>
  Object.entries(by)
    .map(([variable, norm]) => `${variable} ${budget(norm)}`)
    .join(', ');

const range = ({ interval }: UniversalFigures): string =>
  interval === null ? '' : ` (${percent(interval.low)}-${percent(interval.high)})`;

/** A block a universal threat model, a line a victim and budget; nothing where none was asked for. */
export function universalTable(report: Report): string[] {
  const { universals } = report.campaign;
  if (universals.length === 0) return [];
  return [...universals.flatMap((model) => ['', ...modelTable(report, model)]), '', ...LEGEND];
}

function modelTable({ victims }: Report, { name, norm }: UniversalModelReport): string[] {
  const results = victims.flatMap((victim) =>
    victim.universals.filter(({ threatModel }) => threatModel === name).map((result) => ({ victim, result })),
  );
  const [first] = results;
  const split = first && `crafted on ${first.result.crafted.length} clips, tested on ${first.result.tested.length}`;
  const columns = ['budget', 'norm', 'RA', 'success', 'mAP'].map((title) => ({ title }));
  const rows = results.flatMap(({ victim, result: { clean, rungs } }) => [
    [
      victim.name,
      'clean',
      NONE,
      percent(clean.robustAccuracy) + range(clean),
      NONE,
      ratio(clean.ranking.meanAveragePrecision),
    ],
    ...rungs.map(({ epsilons, norms: reached, rejection, attack, noise }) => [
      victim.name,
      norms(epsilons),
      norms(reached) + (rejection === null ? '' : ` ${rejection}`),
      `${percent(attack.robustAccuracy)}/${percent(noise.robustAccuracy)}${range(attack)}`,
      attack.success === null ? NONE : percent(attack.success),
      `${ratio(attack.ranking.meanAveragePrecision)}/${ratio(noise.ranking.meanAveragePrecision)}`,
    ]),
  ]);
  return [
    `${name} (${norm}, ${first?.result.form ?? ''}; ${split ?? ''})`,
    ...textTable([{ title: 'variant', align: 'left' }, ...columns], rows),
  ];
}
