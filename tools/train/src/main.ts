import { readArguments, USAGE } from './arguments.ts';
import { openJob } from './job.ts';
import { makeVictim } from './make-victim.ts';
import { measureAgain } from './measure-again.ts';

/** Errors of use, told without a stack. */
const USE_ERRORS = new Set(['CheckpointError', 'ExecutionProviderError', 'OnnxError', 'SetError', 'CardError']);

function explained(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const isOption = 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (error instanceof RangeError || isOption) return `${error.message}\n${USAGE}`;
  return USE_ERRORS.has(error.name) ? error.message : error;
}

try {
  const options = readArguments(process.argv.slice(2));
  await (options.measureOnly ? measureAgain : makeVictim)(await openJob(options));
} catch (error) {
  console.error(explained(error));
  process.exitCode = 2;
}
