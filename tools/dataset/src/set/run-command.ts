import { type ParseArgsConfig, parseArgs } from 'node:util';
import { SetError } from './set-manifest.ts';

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values'];

/** Exit code of a command that was used wrongly, or given what it cannot work with. */
const BAD_USE = 2;

/**
 * Reads the options of a command, runs it, and prints the line that it ends with. `--help`, and a call without the options that it needs, print the
 * usage; an unknown option and a SetError are told without a stack.
 */
export async function runCommand<O extends Options, Needed extends keyof Values<O> & string>(
  usage: string,
  options: O,
  needed: readonly Needed[],
  run: (values: Values<O> & Record<Needed, string>) => Promise<string>,
): Promise<void> {
  const fail = (message: string): void => {
    process.stderr.write(`${message}\n`);
    process.exitCode = BAD_USE;
  };
  try {
    const args = process.argv.slice(2);
    if (args.includes('--help')) {
      process.stdout.write(`${usage}\n`);
      return;
    }
    const { values } = parseArgs({ args, options });
    if (needed.some((option) => values[option] === undefined)) fail(usage);
    else process.stdout.write(`${await run(values as Values<O> & Record<Needed, string>)}\n`);
  } catch (error) {
    if (error instanceof SetError) fail(error.message);
    else if (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')) {
      fail(`${error.message}\n\n${usage}`);
    } else throw error;
  }
}
