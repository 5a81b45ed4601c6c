import type { CatalogueRow } from '@faultline/attack-algorithms';
import { UsageError } from '../exit-code.ts';
import { printJson, printLines } from '../output/print.ts';
import { fieldList, textColumn, textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { addJson, type JsonOption } from './options.ts';

/** `faultline attacks`: what `--attack` and campaign files may name. */
export const attacks: CommandDefinition = {
  name: 'attacks',
  summary: 'list the attacks on offer, or tell all about one: its parameters, its source',
  examples: ['faultline attacks', 'faultline attacks pgd'],
  configure: (command) => {
    command.argument('[attack]', 'name of an attack');
    addJson(command).action((name: string | undefined, options: JsonOption) =>
      listAttacks(name, options.json === true ? 'json' : 'text'),
    );
  },
};

/** The catalogue is part of the program: no service has to be asked. */
async function listAttacks(name: string | undefined, form: 'json' | 'text'): Promise<void> {
  const { catalogue } = await import('@faultline/attack-algorithms');
  if (name === undefined) {
    const rows = [...catalogue.values()];
    return form === 'json' ? printJson(rows.map(attackJson)) : printLines(table(rows));
  }
  const definition = catalogue.get(name);
  if (definition === undefined) {
    throw new UsageError(`there is no attack ${name}; there are: ${[...catalogue.keys()].join(', ')}`);
  }
  if (form === 'json') printJson(attackJson(definition));
  else printLines(details(definition));
}

/** Whether an attack can change taps. */
const attacksTaps = (row: CatalogueRow) => row.kind !== 'universal' && row.attacksTaps === true;

/** Whether an attack crafts on another victim. The library is loaded late, for other commands start sooner without. */
const needsSurrogate = (row: CatalogueRow) => 'needsSurrogate' in row && row.needsSurrogate === true;

const attackJson = (row: CatalogueRow) => {
  const { name, summary, source, kind, knowledge, norms, mixes = [], goals, parameters } = row;
  const told = { name, summary, source, kind, knowledge, norms, mixes };
  return {
    ...told,
    goals: goals ?? 'all',
    attacksTaps: attacksTaps(row),
    needsSurrogate: needsSurrogate(row),
    parameters,
  };
};

const table = (rows: readonly CatalogueRow[]): string[] =>
  textTable(
    ['attack', 'looks for', 'needs', 'norms', 'what it does'].map(textColumn),
    rows.map(({ name, kind, knowledge, norms, summary }) => [name, kind, knowledge, norms.join(', '), summary]),
  );

function details(row: CatalogueRow): string[] {
  const { name, summary, source, kind, knowledge, norms, mixes = [], goals, parameters } = row;
  const rows = Object.entries(parameters).map(([parameter, spec]) => {
    return [parameter, String(spec.default), rangeOf(spec), spec.description];
  });
  const columns = ['parameter', 'default', 'values', 'what it is'].map(textColumn);
  return [
    ...fieldList([
      ['attack', name],
      ['what it does', summary],
      ['source', source],
      ['looks for', kind],
      ['needs', needsSurrogate(row) ? `${knowledge}, and gradients of a surrogate` : knowledge],
      ['norms', norms.join(', ')],
      ['goals', goals?.join(', ') ?? 'all'],
      ['taps', attacksTaps(row) ? 'yes, beside inputs' : 'no: it needs values with a range'],
      ['budgets of each variable', mixes.length === 0 ? 'alike' : `of their own, in ${mixes.join(', ')}`],
    ]),
    ...(rows.length === 0 ? [] : ['', ...textTable(columns, rows)]),
  ];
}

function rangeOf(spec: CatalogueRow['parameters'][string]): string {
  if (spec.type === 'choice') return spec.values.join(', ');
  return `${spec.minimum} to ${spec.maximum}${spec.whole === true ? ', whole' : ''}`;
}
