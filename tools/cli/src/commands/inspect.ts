import type { ModelInspection } from '@faultline/onboarding';
import { printJson, printLines } from '../output/print.ts';
import { textColumn, textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { addJson, type JsonOption } from './options.ts';
import { type LookFlags, repeated, withOnboarding } from './with-onboarding.ts';

/** `faultline inspect`: what becomes of gradients in a model. */
export const inspect: CommandDefinition = {
  name: 'inspect',
  summary: 'tell, operator by operator, whether gradients pass a model: white-box, with estimation, or black-box only',
  examples: ['faultline inspect zoo/victims/late', 'faultline inspect zoo/victims/late/model.onnx --nodes'],
  configure: (command) => {
    command
      .argument('<target>', "ONNX file, or a victim's folder")
      .option('--nodes', 'every node, not only kinds of them')
      .option(
        '--shape <input=sizes>',
        'sizes of an input that the file leaves open, as 1x3x224x224; may be repeated',
        repeated,
      )
      .option(
        '--value <input=number>',
        'an input that stays as it is, such as a sample rate; may be repeated',
        repeated,
      )
      .addHelpText('after', '\nExit code 1 when the verdict is black-box only.');
    addJson(command).action((target: string, flags: JsonOption & LookFlags & { readonly nodes?: true }) =>
      inspectTarget(target, flags),
    );
  },
};

async function inspectTarget(target: string, flags: JsonOption & LookFlags & { readonly nodes?: true }): Promise<void> {
  const found = await withOnboarding(({ inspectModel }) =>
    inspectModel(target, { shapes: flags.shape ?? [], values: flags.value ?? [] }),
  );
  if (flags.json === true) printJson(inspectionJson(found));
  else printInspection(found, flags.nodes === true);
  if (found.inspection.verdict === 'black-box only') throw new Error(`${target}: ${found.inspection.verdict}`);
}

const nameOf = ({ op, domain }: { readonly op: string; readonly domain: string }) =>
  domain === '' ? op : `${domain}.${op}`;

function printInspection({ inspection, output, ran }: ModelInspection, everyNode: boolean): void {
  const { operators, nodes, variables, verdict } = inspection;
  const kinds = [textColumn('operator'), textColumn('gradient'), { title: 'nodes' }, textColumn('why')];
  const each = [textColumn('operator'), textColumn('gradient'), textColumn('value'), textColumn('why')];
  const table = everyNode
    ? textTable(
        each,
        nodes.map(({ node, treatment, reason = '' }) => [
          nameOf(node),
          treatment,
          node.outputs.find((name) => name !== '') ?? '',
          reason,
        ]),
      )
    : textTable(
        kinds,
        operators.map((row) => [nameOf(row), row.treatment, String(row.count), row.reason ?? '']),
      );
  printLines([
    ...table,
    '',
    ...textTable(
      [textColumn(`d ${output} / d`), textColumn('verdict'), textColumn('why')],
      variables.map((variable) => [variable.name, variable.verdict, variable.reason ?? '']),
    ),
    '',
    `verdict: ${verdict}`,
    ...(ran === true
      ? []
      : [`The model did not run on sample inputs, so forms of operators were not looked at: ${ran}`]),
  ]);
}

const inspectionJson = ({ inspection, output, ran }: ModelInspection) => ({
  verdict: inspection.verdict,
  output,
  variables: inspection.variables,
  operators: inspection.operators,
  nodes: inspection.nodes.map(({ node, treatment, reason }) => ({
    name: node.name,
    op: nameOf(node),
    outputs: node.outputs,
    treatment,
    reason,
  })),
  ran,
});
