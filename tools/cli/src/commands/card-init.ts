import { createInterface } from 'node:readline/promises';
import type { InitCardResult, Prompt, Question, VictimCheck } from '@faultline/onboarding';
import { ExitCode, UsageError } from '../exit-code.ts';
import { note, printJson, printLines } from '../output/print.ts';
import { fieldList, textColumn, textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { addJson, type JsonOption } from './options.ts';
import { repeated, withOnboarding } from './with-onboarding.ts';

interface CardInitFlags extends JsonOption {
  readonly out?: string;
  readonly set?: readonly string[];
  readonly labels?: string;
  readonly frontEnd?: string;
  readonly head?: string;
  readonly yes?: true;
}

/** `faultline card init`: a victim of an ONNX file. */
export const cardInit: CommandDefinition = {
  name: 'init',
  summary: 'make a victim of an ONNX file: card, front end and head, inferred from the graph or asked',
  examples: [
    'faultline card init model.onnx',
    'faultline card init model.onnx --out victims/mine --labels labels.txt --set layout=NHWC --set range=0:255 --yes',
  ],
  configure: (command) => {
    command
      .argument('<model>', 'ONNX file; weights beside it are found in its folder')
      .option('--out <folder>', "folder of the victim (default: the card's name, here)")
      .option('--set <field=value>', 'answer a question, also as INPUT.FIELD=VALUE; may be repeated', repeated)
      .option('--labels <file>', "the labels' names: one a line, JSON, or a table with a column display_name")
      .option('--front-end <file>', 'ONNX graph from waveform or frames to model/INPUT, in place of one that is made')
      .option('--head <file>', "ONNX graph from the model's values to logits [batch, labels]")
      .option('-y, --yes', 'take every default without asking');
    addJson(command, 'print what was decided and found as JSON').action((model: string, flags: CardInitFlags) =>
      initialise(model, flags),
    );
  },
};

async function initialise(model: string, flags: CardInitFlags): Promise<void> {
  await withOnboarding(async ({ initCard, checkVictim }) => {
    using terminal = process.stdin.isTTY && flags.yes !== true ? new Terminal() : undefined;
    const result = await initCard({
      model,
      out: flags.out,
      labels: flags.labels,
      frontEnd: flags.frontEnd,
      head: flags.head,
      given: flags.set ?? [],
      prompt: terminal?.prompt,
      defaults: flags.yes === true ? 'accepted' : 'asked',
    });
    const check = await checkVictim(result.folder);
    if (flags.json === true)
      printJson({
        folder: result.folder,
        card: result.card.name,
        decisions: result.decisions,
        agreement: result.agreement,
        ...check,
      });
    else printResult(result, check);
  });
}

/** Asks a person at the terminal, on standard error: standard output is for data. */
class Terminal implements Disposable {
  readonly #reader = createInterface({ input: process.stdin, output: process.stderr });
  /** Lines are kept from the beginning: some are typed while the model is still being run. */
  readonly #lines = this.#reader[Symbol.asyncIterator]();

  #closed = false;

  constructor() {
    this.#reader.once('close', () => {
      this.#closed = true;
    });
    // Nothing is written before the last answer.
    this.#reader.on('SIGINT', () => process.exit(ExitCode.interrupted));
  }

  readonly prompt: Prompt = async (question: Question) => {
    const choices = question.choices === undefined ? '' : `\n  One of ${question.choices.join(', ')}.`;
    note(`\n${question.text}\n  ${question.why}${choices}`);
    this.#reader.setPrompt(question.default === undefined ? '> ' : `[${shortened(question.default)}] > `);
    if (!this.#closed) this.#reader.prompt();
    const line = await this.#lines.next();
    if (line.done === true)
      throw new UsageError('the answers ended before the questions; give them with --set, or take defaults with --yes');
    return line.value;
  };

  [Symbol.dispose](): void {
    this.#reader.close();
  }
}

const MOST_CHARACTERS = 48;
const shortened = (text: string) => (text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS - 1)}…` : text);

const parts = (share: number) => (share === 0 ? 'nothing' : `${share.toExponential(1)} of the largest value`);

function printResult({ folder, card, decisions, agreement }: InitCardResult, check: VictimCheck): void {
  const columns = [textColumn('what'), textColumn('value'), textColumn('from'), textColumn('why')];
  const rows = decisions.map(({ key, value, from, why }) => [key, shortened(value), from, from === 'given' ? '' : why]);
  printLines([
    ...textTable(columns, rows),
    '',
    ...fieldList([
      ['victim', folder],
      ['differs from the file by', parts(agreement.withFile)],
      ['a batch from its examples by', parts(agreement.acrossBatch)],
      ['labels', `${card.labels.length}, ${card.operatingPoint}`],
      [
        'predicts',
        `${check.examples} made-up examples, logits from ${check.least.toPrecision(3)} to ${check.most.toPrecision(3)}`,
      ],
      ['gradients', check.gradient],
    ]),
    ...check.reasons.map((reason) => `  ${reason}`),
    '',
    `next: faultline gradcheck ${folder}`,
    `      faultline up --victim ${folder}`,
  ]);
}
