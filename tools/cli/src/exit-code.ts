/** What the process's exit code says; part of the command's help. */
export const ExitCode = {
  ok: 0,
  /** The work failed. */
  failed: 1,
  /** The command line, a campaign file or the environment cannot be used. */
  usage: 2,
  /** Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const;

/** The caller asked for something that cannot be done; the message says what to change. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
