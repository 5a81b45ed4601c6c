import type { Feeds, OrtTensor } from '@faultline/ort';
import type { Slots } from './evaluator.ts';
import { ProgramError } from './program.ts';
import type { ProgramRole } from './slots.ts';

/** Only what a session takes. @throws RangeError naming a slot that nobody provided. */
export function feedsFor(session: { readonly inputNames: readonly string[] }, slots: Slots): Feeds {
  const feeds: Record<string, OrtTensor> = {};
  for (const name of session.inputNames) {
    const tensor = slots.get(name);
    if (tensor === undefined) throw new RangeError(`slot '${name}' is read by a program but was not provided`);
    feeds[name] = tensor;
  }
  return feeds;
}

/**
 * Runs what programs are part of. What the runtime refuses then (an index out of range, axes that do not fit) it refuses because of
 * them: the victim alone has run before.
 * @throws ProgramError in the runtime's own words
 */
export async function runChecked<Result>(role: ProgramRole, run: () => Promise<Result>): Promise<Result> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof RangeError || !(error instanceof Error)) throw error;
    throw new ProgramError(role, `cannot be run: ${error.message}`, { cause: error });
  }
}
