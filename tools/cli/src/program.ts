import { FaultlineError } from '@faultline/service-kit';
import { Command, CommanderError } from 'commander';
import { addCommand } from './commands/command-definition.ts';
import { COMMANDS } from './commands/command-table.ts';
import { ExitCode, UsageError } from './exit-code.ts';

/** The variable that users may set for all services; any other FAULTLINE_ variable is a mistake. */
const KNOWN_VARIABLES = ['FAULTLINE_LOG_LEVEL'];

const EXIT_CODES = `
Exit codes: ${ExitCode.ok} done, ${ExitCode.failed} failed, ${ExitCode.usage} unusable arguments, file or environment, ${ExitCode.interrupted} interrupted.
Environment: FAULTLINE_LOG_LEVEL (debug, info, warn, error) of the services; OTEL_EXPORTER_OTLP_ENDPOINT to send traces to.`;

/** The whole command line; nothing runs until it parses. */
export function program(): Command {
  const root = new Command('faultline')
    .description('Measures how much adversarial noise breaks an audio-visual event classifier, and where it breaks.')
    .showHelpAfterError('(add --help for help)')
    .addHelpText('after', `\nExample:\n  $ faultline campaign run campaigns/quick.yaml\n${EXIT_CODES}`)
    .exitOverride();
  for (const entry of COMMANDS) addCommand(root, entry);
  return root;
}

/** Runs the command line and returns the exit code; errors are printed, without a stack, to standard error. */
export async function run(argv: readonly string[]): Promise<number> {
  try {
    checkEnvironment();
    await program().parseAsync([...argv], { from: 'user' });
    return ExitCode.ok;
  } catch (error) {
    // Commander has printed what it has to say.
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    process.stderr.write(`faultline: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodeOf(error);
  }
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
