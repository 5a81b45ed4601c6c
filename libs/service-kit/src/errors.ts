/** What went wrong, in the words of gRPC's status codes as far as this project needs them. */
export type ErrorCode =
  | 'invalid_argument'
  | 'not_found'
  | 'already_exists'
  | 'failed_precondition'
  | 'resource_exhausted'
  | 'unavailable'
  | 'deadline_exceeded'
  | 'cancelled'
  | 'unimplemented'
  | 'internal';

/** One field of a request that was refused: its path (`attack.epsilon`), and what is wrong with its value. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
}

export interface FaultlineErrorOptions {
  readonly violations?: readonly FieldViolation[];
  readonly cause?: unknown;
}

/** The one error of every service: it crosses processes with its code, message and field violations. */
export class FaultlineError extends Error {
  override readonly name = 'FaultlineError';
  readonly code: ErrorCode;
  readonly violations: readonly FieldViolation[];

  constructor(code: ErrorCode, message: string, options: FaultlineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.violations = options.violations ?? [];
  }

  /** One refused field. `description` names the value and the remedy. */
  static invalid(field: string, description: string): FaultlineError {
    return new FaultlineError('invalid_argument', `${field}: ${description}`, { violations: [{ field, description }] });
  }

  /**
   * Any thrown value as a FaultlineError: itself if it is one; an aborted or timed-out operation as `cancelled` or
   * `deadline_exceeded`; everything else is `internal` and keeps the thrown value as its cause.
   */
  static from(thrown: unknown): FaultlineError {
    if (thrown instanceof FaultlineError) return thrown;
    if (!(thrown instanceof Error)) return new FaultlineError('internal', String(thrown), { cause: thrown });
    const message = thrown.message === '' ? thrown.name : thrown.message;
    if (thrown.name === 'TimeoutError') return new FaultlineError('deadline_exceeded', message, { cause: thrown });
    if (thrown.name !== 'AbortError') return new FaultlineError('internal', message, { cause: thrown });
    // Node wraps the reason of an aborted signal; the reason says more than the wrapper.
    if (thrown.cause instanceof FaultlineError) return thrown.cause;
    return new FaultlineError('cancelled', message, { cause: thrown });
  }
}
