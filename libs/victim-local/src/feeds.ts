import type { Feeds, OrtTensor, Session } from '@faultline/ort';
import type { Slots } from './evaluator.ts';

/** Only what a session takes. @throws RangeError naming a slot that nobody provided. */
export function feedsFor(session: Session, slots: Slots): Feeds {
  const feeds: Record<string, OrtTensor> = {};
  for (const name of session.inputNames) {
    const tensor = slots.get(name);
    if (tensor === undefined) throw new RangeError(`slot '${name}' is read by a program but was not provided`);
    feeds[name] = tensor;
  }
  return feeds;
}
