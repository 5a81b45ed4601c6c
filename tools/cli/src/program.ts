import { Command, CommanderError } from 'commander';
import { addCommand } from './commands/command-definition.ts';
import { COMMANDS } from './commands/command-table.ts';
import { EXIT_CODES, ExitCode, exitCodeOf, UsageError } from './exit-code.ts';

/** The variable that users may set for all services; any other FAULTLINE_ variable is a mistake. */
const KNOWN_VARIABLES = ['FAULTLINE_LOG_LEVEL'];

const CODE_WIDTH = 3;

const AFTERWORD = `
Example:
  $ faultline campaign run campaigns/quick.yaml

Exit codes:
${EXIT_CODES.map(([code, meaning]) => `  ${String(code).padStart(CODE_WIDTH)}  ${meaning}`).join('\n')}

Environment:
  FAULTLINE_LOG_LEVEL          debug, info, warn (the default) or error: what services log
  OTEL_EXPORTER_OTLP_ENDPOINT  collector that gets traces, for instance http://localhost:4318
`;

/** The whole command line; nothing runs until it parses. */
export function program(): Command {
  const root = new Command('faultline')
    .description('Measures how much adversarial noise breaks an audio-visual event classifier, and where it breaks.')
    .showHelpAfterError('(add --help for help)')
    .addHelpText('after', AFTERWORD)
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

function checkEnvironment(): void {
  const unknown = Object.keys(process.env).find(
    (key) => key.startsWith('FAULTLINE_') && !KNOWN_VARIABLES.includes(key),
  );
  if (unknown !== undefined) {
    throw new UsageError(`${unknown} is not a variable of this command; known: ${KNOWN_VARIABLES.join(', ')}`);
  }
}
