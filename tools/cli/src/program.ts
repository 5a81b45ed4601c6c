import { FaultlineError } from '@faultline/service-kit';
import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { campaignList } from './commands/campaign-list.ts';
import { campaignRun } from './commands/campaign-run.ts';
import { report } from './commands/report.ts';
import { up } from './commands/up.ts';
import { ExitCode, UsageError } from './exit-code.ts';

/** The variable that users may set for all services; any other FAULTLINE_ variable is a mistake. */
const KNOWN_VARIABLES = ['FAULTLINE_LOG_LEVEL'];

const EXIT_CODES = `
Exit codes: ${ExitCode.ok} done, ${ExitCode.failed} failed, ${ExitCode.usage} unusable arguments, file or environment, ${ExitCode.interrupted} interrupted.
Environment: FAULTLINE_LOG_LEVEL (debug, info, warn, error) of the services; OTEL_EXPORTER_OTLP_ENDPOINT to send traces to.`;

const example = (line: string) => `\nExample:\n  $ ${line}`;

interface Json {
  readonly json?: true;
}

function program(): Command {
  const root = new Command('faultline')
    .description('Measures how much adversarial noise breaks an audio-visual event classifier, and where it breaks.')
    .showHelpAfterError('(add --help for help)')
    .addHelpText('after', `${example('faultline campaign run campaigns/quick.yaml')}\n${EXIT_CODES}`);
  root
    .command('up')
    .description('start the services and keep them until Ctrl-C, for campaigns that other terminals run')
    .option('--json', 'print the addresses as JSON')
    .addHelpText('after', example('faultline up'))
    .action(({ json }: Json) => up({ json: json === true }));
  const campaign = root.command('campaign').description('robustness evaluations');
  campaign
    .command('run')
    .description('run the campaign of a YAML file; starts the services for it when none are up')
    .argument('<file>', 'campaign file')
    .option('--clips <count>', 'attack this many clips, or "all", in place of what the file says', parseClips)
    .option('--json', 'print report.json in place of tables')
    .addHelpText('after', example('faultline campaign run campaigns/quick.yaml --clips 12'))
    .action((file: string, { clips, json }: Json & { clips?: 'all' | number }) =>
      campaignRun(file, { clips, json: json === true }),
    );
  campaign
    .command('list')
    .description('list campaigns, the newest first')
    .option('--json', 'print JSON')
    .addHelpText('after', example('faultline campaign list --json'))
    .action(({ json }: Json) => campaignList({ json: json === true }));
  root
    .command('report')
    .description('print what an earlier campaign found')
    .argument('<run>', 'campaign identifier, as `campaign list` prints it')
    .option('--json', 'print report.json in place of tables')
    .addHelpText('after', example('faultline report "$(faultline campaign list --json | jq -r ".[0].campaignId")"'))
    .action((run: string, { json }: Json) => report(run, { json: json === true }));
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
