import type { common } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { refuseControlCharacters } from './plain-text.ts';

const MAX_LENGTH = 128;

/** Who asks, and under which key; checked. */
export interface Identity {
  readonly caller: string;
  /** Empty: no protection against repetition. */
  readonly idempotencyKey: string;
}

/** @throws FaultlineError invalid_argument when one of them is too long, or no plain text. */
export function identityOf(context: common.RequestContext | undefined): Identity {
  const { caller = '', idempotencyKey = '' } = context ?? {};
  for (const [field, value] of Object.entries({ caller, idempotencyKey })) {
    refuseControlCharacters(value, `context.${field}`);
    if (value.length <= MAX_LENGTH) continue;
    throw FaultlineError.invalid(`context.${field}`, `has ${value.length} characters; give at most ${MAX_LENGTH}`);
  }
  return { caller, idempotencyKey };
}
