import type { score } from '@faultline/contracts';
import { specificationJson } from '../campaign/specification-json.ts';
import { budget } from './figures.ts';
import { type Column, textColumn, textTable } from './text-table.ts';

/** What a campaign measures, but for its threat models. */
export function specificationFields(from: score.CampaignSpecification | undefined): [string, string][] {
  const specification = specificationJson(from);
  if (specification === null) return [];
  const { victims, clips, seed } = specification;
  const set = clips.set === '' ? 'the default set' : clips.set;
  return [
    ['victims', victims.length === 0 ? 'all' : victims.join(', ')],
    ['clips', clips.limit === 0 ? `all of ${set}` : `${clips.limit} of ${set}`],
    ['seed', String(seed)],
  ];
}

const COLUMNS: readonly Column[] = [
  textColumn('threat model'),
  textColumn('norm'),
  textColumn('variables at scale 1'),
  textColumn('scales, early'),
  textColumn('scales, never'),
  textColumn('attack'),
  { title: 'steps' },
  { title: 'restarts' },
];

/** A line a threat model. */
export function threatModelTable(from: score.CampaignSpecification | undefined): string[] {
  const rows = (specificationJson(from)?.threatModels ?? []).map((model) => {
    const variables = Object.entries(model.variables).map(([variable, rho]) => {
      const region = model.confined.includes(variable) ? ' in a region' : '';
      return `${variable} ${budget(rho)}${region}`;
    });
    const parameters = Object.entries(model.parameters).map(([name, value]) => `${name}=${value}`);
    return [
      model.name,
      model.norm,
      variables.join(', '),
      model.ladder.early.map(budget).join(' '),
      model.ladder.never.map(budget).join(' '),
      [model.attack, ...parameters].join(' '),
      String(model.steps),
      String(model.restarts),
    ];
  });
  return rows.length === 0 ? [] : textTable(COLUMNS, rows);
}
