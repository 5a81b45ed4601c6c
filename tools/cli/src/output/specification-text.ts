import type { score } from '@faultline/contracts';
import { type AttackJson, specificationJson, type ThreatModelJson } from '../campaign/specification-json.ts';
import { budget } from './figures.ts';
import { type Column, textColumn, textTable } from './text-table.ts';

/** What a campaign measures, but for its threat models. */
export function specificationFields(from: score.CampaignSpecification | undefined): [string, string][] {
  const specification = specificationJson(from);
  if (specification === null) return [];
  const { victims, clips, seed, writeBack } = specification;
  const set = clips.set === '' ? 'the default set' : clips.set;
  return [
    ['victims', victims.length === 0 ? 'all' : victims.join(', ')],
    ['clips', clips.limit === 0 ? `all of ${set}` : `${clips.limit} of ${set}`],
    ['seed', String(seed)],
    ...(writeBack.length === 0 ? [] : [['written as', writeBack.join('; ')] satisfies [string, string]]),
  ];
}

const COLUMNS: readonly Column[] = [
  textColumn('threat model'),
  textColumn('norm'),
  textColumn('variables at scale 1'),
  textColumn('scales, early'),
  textColumn('scales, never'),
  textColumn('attacks'),
];

const goalText = ({ kind, label, k }: NonNullable<ThreatModelJson['goal']>): string =>
  [kind, label, k > 0 ? String(k) : ''].filter(Boolean).join(' ');

function attackText({ name, attack, steps, restarts, parameters }: AttackJson): string {
  const told = Object.entries(parameters).map(([parameter, value]) => `${parameter}=${value}`);
  const again = restarts > 1 ? [`${restarts} restarts`] : [];
  return [name === attack ? attack : `${name}: ${attack}`, `${steps} steps`, ...again, ...told].join(', ');
}

/** A line a threat model. */
export function threatModelTable(from: score.CampaignSpecification | undefined): string[] {
  const rows = (specificationJson(from)?.threatModels ?? []).map((model) => {
    const variables = Object.entries(model.variables).map(([variable, rho]) => {
      const region = model.confined.includes(variable) ? ' in a region' : '';
      const share = model.relative.includes(variable) ? ' of the clean value' : '';
      return `${variable} ${budget(rho)}${share}${region}`;
    });
    return [
      model.goal === null ? model.name : `${model.name} (${goalText(model.goal)})`,
      model.norm,
      variables.join(', '),
      model.maxScale === null ? model.ladder.early.map(budget).join(' ') : `search up to ${budget(model.maxScale)}`,
      model.ladder.never.map(budget).join(' '),
      model.attacks.map(attackText).join('; '),
    ];
  });
  return rows.length === 0 ? [] : textTable(COLUMNS, rows);
}
