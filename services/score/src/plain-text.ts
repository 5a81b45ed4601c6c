import { FaultlineError } from '@faultline/service-kit';

/** Control characters have no place in names, and the database takes no NUL. */
const CONTROL = /\p{Cc}/u;

/**
 * Checks every string inside a value, however deep.
 * @throws FaultlineError invalid_argument that names the first one with a control character.
 */
export function refuseControlCharacters(value: unknown, field: string): void {
  if (typeof value === 'string' && CONTROL.test(value)) {
    throw FaultlineError.invalid(field, `${JSON.stringify(value)} holds a control character; leave it out`);
  }
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    refuseControlCharacters(inner, Array.isArray(value) ? `${field}[${key}]` : `${field}.${key}`);
  }
}
