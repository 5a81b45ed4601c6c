import type { score } from '@faultline/contracts';
import { type AttackJson, specificationJson, type ThreatModelJson } from '../campaign/specification-json.ts';
import { budget } from './figures.ts';
import { type Column, textColumn, textTable } from './text-table.ts';

/** What a campaign measures, but for its threat models. */
export function specificationFields(from: score.CampaignSpecification | undefined): [string, string][] {
  const specification = specificationJson(from);
  if (specification === null) return [];
  const { victims, clips, seed, keepAdversarial, writeBack } = specification;
  const set = clips.set === '' ? 'the default set' : clips.set;
  return [
    ['victims', victims.length === 0 ? 'all' : victims.join(', ')],
    ['clips', clips.limit === 0 ? `all of ${set}` : `${clips.limit} of ${set}`],
    ['seed', String(seed)],
    ...(keepAdversarial ? [['adversarial tensors', 'kept'] satisfies [string, string]] : []),
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

function attackText({ name, attack, steps, restarts, parameters, surrogate }: AttackJson): string {
  const told = Object.entries(parameters).map(([parameter, value]) => `${parameter}=${value}`);
  const from = surrogate === null ? [] : [`from ${surrogate}`];
  const again = restarts > 1 ? [`${restarts} restarts`] : [];
  return [name === attack ? attack : `${name}: ${attack}`, ...from, `${steps} steps`, ...again, ...told].join(', ');
}

/** "crafted on stratum seen" */
function craftText(craft: NonNullable<ThreatModelJson['craft']>): string {
  return 'stratum' in craft
    ? `crafted on stratum ${craft.stratum}`
    : `crafted on a share of ${craft.share} of the sources`;
}

/** What else a budget says: "norm l2", "frames {"seconds":0.5}". */
const ownText = (own: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(own).map(
    ([field, value]) => `${field} ${typeof value === 'string' ? enumText(value) : JSON.stringify(value)}`,
  );

/** "NORM_L2" as "l2". */
const enumText = (value: string): string => value.slice(value.indexOf('_') + 1).toLowerCase();

function variableText(model: ThreatModelJson, variable: string, rho: number): string {
  const share = model.relative.includes(variable) ? ' of the clean value' : '';
  const own = ownText(model.own[variable] ?? {});
  return `${variable} ${budget(rho)}${share}${own.length === 0 ? '' : ` (${own.join(', ')})`}`;
}

/** A line a threat model. */
export function threatModelTable(from: score.CampaignSpecification | undefined): string[] {
  const specification = specificationJson(from);
  const rows = (specification?.threatModels ?? []).map((model) => {
    const { name, norm, variables, ladder, maxScale, goal, attacks, craft, seed } = model;
    const search = maxScale === null ? [] : [`search up to ${budget(maxScale)}`];
    const ownSeed = seed === 0 || seed === specification?.seed ? [] : [`seed ${seed}`];
    return [
      goal === null ? name : `${name} (${goalText(goal)})`,
      norm,
      Object.entries(variables)
        .map(([variable, rho]) => variableText(model, variable, rho))
        .join(', '),
      [...ladder.early.map(budget), ...search].join(' '),
      ladder.never.map(budget).join(' '),
      [...attacks.map(attackText), ...(craft === null ? [] : [craftText(craft)]), ...ownSeed].join('; '),
    ];
  });
  return rows.length === 0 ? [] : textTable(COLUMNS, rows);
}
