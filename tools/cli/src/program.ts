import { resolve } from 'node:path';
import { FaultlineError } from '@faultline/service-kit';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { campaignList } from './commands/campaign-list.ts';
import { campaignRun } from './commands/campaign-run.ts';
import { report } from './commands/report.ts';
import { up } from './commands/up.ts';
import { ExitCode, UsageError } from './exit-code.ts';
import type { StackOptions } from './stack/stack.ts';

/** The variable that users may set for all services; any other FAULTLINE_ variable is a mistake. */
const KNOWN_VARIABLES = ['FAULTLINE_LOG_LEVEL'];

const EXIT_CODES = `
Exit codes: ${ExitCode.ok} done, ${ExitCode.failed} failed, ${ExitCode.usage} unusable arguments, file or environment, ${ExitCode.interrupted} interrupted.
Environment: FAULTLINE_LOG_LEVEL (debug, info, warn, error) of the services; OTEL_EXPORTER_OTLP_ENDPOINT to send traces to.`;

const VICTIMS_HELP = 'folder with one folder a victim (default: zoo/victims, in the checkout)';

const example = (line: string) => `\nExample:\n  $ ${line}`;

interface Options {
  readonly json?: true;
  readonly runs?: string;
  readonly victims?: string;
}

/** Folders as the stack takes them, absolute: services run elsewhere. */
const foldersOf = ({ runs, victims }: Options): Pick<StackOptions, 'runsDir' | 'victimsDir'> => ({
  ...(runs === undefined ? {} : { runsDir: resolve(runs) }),
  ...(victims === undefined ? {} : { victimsDir: resolve(victims) }),
});

/** A command that needs the services. */
function serviceCommand(parent: Command, nameAndArgs: string, description: string): Command {
  return parent
    .command(nameAndArgs)
    .description(description)
    .option('--runs <folder>', 'folder of runs and their database (default: runs, in the checkout)');
}

function program(): Command {
  const root = new Command('faultline')
    .description('Measures how much adversarial noise breaks an audio-visual event classifier, and where it breaks.')
    .showHelpAfterError('(add --help for help)')
    .addHelpText('after', `${example('faultline campaign run campaigns/quick.yaml')}\n${EXIT_CODES}`);
  serviceCommand(root, 'up', 'start the services and keep them until Ctrl-C, for campaigns that other terminals run')
    .option('--victims <folder>', VICTIMS_HELP)
    .option('--json', 'print the addresses as JSON')
    .addHelpText('after', example('faultline up'))
    .action((options: Options) => up({ json: options.json === true, stack: foldersOf(options) }));
  const campaign = root.command('campaign').description('robustness evaluations');
  serviceCommand(campaign, 'run', 'run the campaign of a YAML file; starts the services for it when none are up')
    .argument('<file>', 'campaign file')
    .option('--clips <count>', 'attack this many clips, or "all", in place of what the file says', parseClips)
    .option('--victims <folder>', VICTIMS_HELP)
    .option('--json', 'print report.json in place of tables')
    .addHelpText('after', example('faultline campaign run campaigns/quick.yaml --clips 12'))
    .action((file: string, options: Options & { clips?: 'all' | number }) =>
      campaignRun(file, { clips: options.clips, json: options.json === true, stack: foldersOf(options) }),
    );
  serviceCommand(campaign, 'list', 'list campaigns, the newest first')
    .option('--json', 'print JSON')
    .addHelpText('after', example('faultline campaign list --json'))
    .action((options: Options) => campaignList({ json: options.json === true, stack: foldersOf(options) }));
  serviceCommand(root, 'report', 'print what an earlier campaign found')
    .argument('<run>', 'campaign identifier, as `campaign list` prints it')
    .option('--json', 'print report.json in place of tables')
    .addHelpText('after', example('faultline report "$(faultline campaign list --json | jq -r ".[0].campaignId")"'))
    .action((run: string, options: Options) => report(run, { json: options.json === true, stack: foldersOf(options) }));
  return root;
}

function parseClips(text: string): 'all' | number {
  if (text === 'all') return text;
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('give a whole number above 0, or "all".');
  return count;
}

/** Runs the command line and returns the exit code; errors are printed, without a stack, to standard error. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    checkEnvironment();
    await exitOverride(program()).parseAsync([...argv], { from: 'user' });
    return ExitCode.ok;
  } catch (error) {
    // Commander has printed what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    process.stderr.write(`faultline: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodeOf(error);
  }
}

function exitOverride(command: Command): Command {
  for (const child of command.commands) exitOverride(child);
  return command.exitOverride();
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return ExitCode.usage;
  if (!(error instanceof FaultlineError)) return ExitCode.failed;
  if (error.code === 'cancelled') return ExitCode.interrupted;
  return error.code === 'invalid_argument' || error.code === 'not_found' ? ExitCode.usage : ExitCode.failed;
}

function checkEnvironment(): void {
  const unknown = Object.keys(process.env).find(
    (key) => key.startsWith('FAULTLINE_') && !KNOWN_VARIABLES.includes(key),
  );
  if (unknown !== undefined) {
    throw new UsageError(`${unknown} is not a variable of this command; known: ${KNOWN_VARIABLES.join(', ')}`);
  }
}
