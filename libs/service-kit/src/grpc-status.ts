import { Metadata, status as Status, type StatusObject } from '@grpc/grpc-js';
import { type ErrorCode, FaultlineError, type FieldViolation } from './errors.ts';
import { decodeViolations, encodeStatusDetails } from './status-details.ts';

const STATUS_DETAILS_KEY = 'grpc-status-details-bin';

/** Trailers travel in one HTTP/2 header block, which peers commonly cap at 8 to 16 KiB; details are base64 there. */
const MAX_MESSAGE_CHARACTERS = 1500;
const MAX_VIOLATION_CHARACTERS = 400;
const MAX_DETAILS_BYTES = 6000;

const STATUS_BY_CODE: Readonly<Record<ErrorCode, Status>> = {
  invalid_argument: Status.INVALID_ARGUMENT,
  not_found: Status.NOT_FOUND,
  already_exists: Status.ALREADY_EXISTS,
  failed_precondition: Status.FAILED_PRECONDITION,
  resource_exhausted: Status.RESOURCE_EXHAUSTED,
  unavailable: Status.UNAVAILABLE,
  deadline_exceeded: Status.DEADLINE_EXCEEDED,
  cancelled: Status.CANCELLED,
  unimplemented: Status.UNIMPLEMENTED,
  internal: Status.INTERNAL,
};

/** Codes that our own services never send, but other gRPC servers and proxies do. */
const CODE_BY_FOREIGN_STATUS: Partial<Record<Status, ErrorCode>> = {
  [Status.OUT_OF_RANGE]: 'invalid_argument',
  [Status.ABORTED]: 'failed_precondition',
  [Status.PERMISSION_DENIED]: 'failed_precondition',
  [Status.UNAUTHENTICATED]: 'failed_precondition',
  [Status.UNKNOWN]: 'internal',
  [Status.DATA_LOSS]: 'internal',
};

const CODE_BY_STATUS = new Map<number, ErrorCode>([
  ...Object.entries(CODE_BY_FOREIGN_STATUS).map(([status, code]) => [Number(status), code] as const),
  ...Object.entries(STATUS_BY_CODE).map(([code, status]) => [status, code as ErrorCode] as const),
]);

/** The gRPC status number of an error code. */
export function statusOf(code: ErrorCode): Status {
  return STATUS_BY_CODE[code];
}

/** What a server sends for an error. Stack and cause stay behind. */
export function toGrpcStatus(error: FaultlineError): StatusObject {
  const code = statusOf(error.code);
  const details = shorten(error.message, MAX_MESSAGE_CHARACTERS);
  const metadata = new Metadata();
  if (error.violations.length > 0) metadata.set(STATUS_DETAILS_KEY, fittingDetails(code, details, error.violations));
  return { code, details, metadata };
}

/** The error that a client throws for a received status that is not OK, field violations restored. */
export function fromGrpcStatus(status: Partial<StatusObject>, cause?: unknown): FaultlineError {
  const name = Status[status.code ?? Status.UNKNOWN] ?? 'UNKNOWN';
  const code = CODE_BY_STATUS.get(status.code ?? Status.UNKNOWN) ?? 'internal';
  const message = status.details === undefined || status.details === '' ? name : status.details;
  return new FaultlineError(code, message, { violations: violationsOf(status.metadata), cause });
}

function violationsOf(metadata: Metadata | null | undefined): FieldViolation[] {
  const [value] = metadata?.get(STATUS_DETAILS_KEY) ?? [];
  if (!(value instanceof Buffer)) return [];
  try {
    return decodeViolations(value);
  } catch {
    // Details that another implementation garbled must not hide the status that they came with.
    return [];
  }
}

/** The details with as many of the violations as there is room for. */
function fittingDetails(code: Status, message: string, violations: readonly FieldViolation[]): Buffer {
  const short = violations.map(({ field, description }) => ({
    field: shorten(field, MAX_VIOLATION_CHARACTERS),
    description: shorten(description, MAX_VIOLATION_CHARACTERS),
  }));
  let encoded = encodeStatusDetails(code, message, short);
  while (encoded.length > MAX_DETAILS_BYTES && short.length > 0) {
    short.length = Math.floor(short.length / 2);
    encoded = encodeStatusDetails(code, message, short);
  }
  return encoded;
}

/** Cuts by characters and repairs lone surrogates, which cannot be encoded in a header. */
function shorten(text: string, limit: number): string {
  return (text.length > limit ? `${text.slice(0, limit - 1)}…` : text).toWellFormed();
}
