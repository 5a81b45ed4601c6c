import { OnnxError } from '@faultline/onnx';
import { ProgramError } from '@faultline/victim-local';
import type { JobError, JobKind } from './worker-protocol.ts';

/** Where the programs of a request are, by the job that loads them. */
const PROGRAMS_FIELD: Readonly<Partial<Record<JobKind, string>>> = {
  estimate: 'open.programs',
  prepare: 'open.programs',
  restart: 'open.programs',
  step: 'open.programs',
  rebatch: 'open.programs',
  differentiate: 'program',
};

/** How the runtime begins its complaints about a node: its kernel refused the values that it was given. */
const RUNTIME_COMPLAINT =
  /^(Non-zero status code returned while running|Got invalid dimensions|Invalid rank|Unexpected input data type|Can't load model|Failed to load model|Type Error|This is an invalid model|\[?ShapeInferenceError|Fatal error)/;

const OUT_OF_MEMORY =
  /bad allocation|bad_alloc|Failed to allocate memory|Array buffer allocation failed|Invalid typed array length/i;

/** What an error of a job means to the one who asked for it. */
export function toJobError(thrown: unknown, kind: JobKind): JobError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { message, stack } = error;
  const programs = PROGRAMS_FIELD[kind];
  const of = (fault: JobError['fault'], field = ''): JobError => ({ fault, field, message, stack });
  if (error instanceof ProgramError)
    return of('request', programs === 'program' ? programs : `open.programs.${error.role}`);
  if (OUT_OF_MEMORY.test(message)) return of('memory');
  // The victim was read and run when the service started: what does not fit, or fails, now is what the request brought along.
  if (error instanceof OnnxError) return of('request', programs ?? '');
  if (error instanceof RangeError) return of('request');
  if (programs !== undefined && RUNTIME_COMPLAINT.test(message)) return of('request', programs);
  return of('worker');
}
