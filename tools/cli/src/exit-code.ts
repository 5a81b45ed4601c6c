import { type ErrorCode, FaultlineError } from '@faultline/service-kit';

/** What the process's exit code says. */
export const ExitCode = {
  ok: 0,
  failed: 1,
  usage: 2,
  service: 3,
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The exit codes as help and README tell them. */
export const EXIT_CODES: readonly (readonly [code: ExitCode, meaning: string])[] = [
  [ExitCode.ok, 'done; for `up`: stopped on request'],
  [ExitCode.failed, 'the work failed, for instance a campaign that failed or that somebody cancelled'],
  [ExitCode.usage, 'unusable arguments, file or environment; the message says what to change'],
  [ExitCode.service, 'a service did not start, died or cannot be reached; the message names it and its log'],
  [ExitCode.interrupted, 'interrupted by Ctrl-C, SIGTERM or the end of the terminal'],
];

/** The caller asked for something that cannot be done; the message says what to change. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** What a service's answer makes of the exit code; codes that are not here are failures. */
const BY_ERROR_CODE: Partial<Record<ErrorCode, ExitCode>> = {
  cancelled: ExitCode.interrupted,
  invalid_argument: ExitCode.usage,
  not_found: ExitCode.usage,
  unavailable: ExitCode.service,
};

/** The exit code that belongs to a thrown value. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return ExitCode.usage;
  if (error instanceof FaultlineError) return BY_ERROR_CODE[error.code] ?? ExitCode.failed;
  return ExitCode.failed;
}
