import type { ModelGradcheck } from '@faultline/onboarding';
import { printJson, printLines } from '../output/print.ts';
import { textColumn, textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { addJson, type JsonOption } from './options.ts';
import { type LookFlags, repeated, withOnboarding } from './with-onboarding.ts';

/** `faultline gradcheck`: gradients against differences. */
export const gradcheck: CommandDefinition = {
  name: 'gradcheck',
  summary: "compare a model's gradients with differences of what the runtime computes",
  examples: ['faultline gradcheck zoo/victims/late', 'faultline gradcheck zoo/victims/late/model.onnx --json'],
  configure: (command) => {
    command
      .argument('<target>', "ONNX file, or a victim's folder")
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
      .addHelpText('after', '\nExit code 1 unless every gradient agrees.');
    addJson(command).action((target: string, flags: JsonOption & LookFlags) => checkTarget(target, flags));
  },
};

async function checkTarget(target: string, flags: JsonOption & LookFlags): Promise<void> {
  const found = await withOnboarding(({ gradcheckModel }) =>
    gradcheckModel(target, { shapes: flags.shape ?? [], values: flags.value ?? [] }),
  );
  if (flags.json === true) printJson(found);
  else printCheck(found);
  if (found.outcome !== 'agrees') throw new Error(`${target}: ${found.outcome}`);
}

const figure = (value: number) => value.toPrecision(4);

function printCheck({ points, without, outcome, outputs, verdict, worst }: ModelGradcheck): void {
  const columns = [
    textColumn('input'),
    { title: 'point' },
    textColumn('direction'),
    { title: 'gradient' },
    { title: 'difference' },
    { title: 'step' },
    { title: 'error' },
    textColumn('outcome'),
    textColumn('evidence'),
  ];
  const rows = points.flatMap(({ variables }, point) =>
    variables.flatMap(({ name, directions }) =>
      directions.map((one) => [
        name,
        String(point + 1),
        one.direction,
        figure(one.derivative),
        figure(one.numeric),
        one.step.toExponential(0),
        one.relativeError.toExponential(1),
        one.outcome,
        one.evidence,
      ]),
    ),
  );
  printLines([
    ...textTable(columns, rows),
    ...without.map(({ input, reason }) => `${input}: no gradient (${reason})`),
    '',
    `of a weighted sum of ${outputs.join(', ')}; ${verdict}; ${outcome}, worst relative error ${worst.toExponential(1)}`,
  ]);
}
