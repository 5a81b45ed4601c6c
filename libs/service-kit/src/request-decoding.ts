import { FaultlineError } from './errors.ts';

/** Stands for a message that cannot be read. The transport calls an exception in a decoder INTERNAL, but the fault is the client's. */
export class UndecodableRequest {
  readonly error: FaultlineError;

  constructor(path: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.error = new FaultlineError(
      'invalid_argument',
      `the message is not a request of ${path}: ${reason}; encode it by the published contract`,
      { cause },
    );
  }
}

/** The request, or what stands for one that cannot be read. Never throws. */
export function decodeRequest(decode: (bytes: Buffer) => unknown, bytes: Buffer, path: string): unknown {
  try {
    return decode(bytes);
  } catch (cause) {
    return new UndecodableRequest(path, cause);
  }
}
