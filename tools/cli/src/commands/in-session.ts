import { Interruption } from '../interruption.ts';
import { Session, type SessionOptions } from '../session.ts';
import type { StackOptions } from '../stack/stack.ts';

/** What commands have in common. */
export interface CommandOptions {
  /** Print JSON in place of text for people. */
  readonly json: boolean;
  /** Where the services that a command starts find things, and where it looks for ones that are up. */
  readonly stack: StackOptions;
}

/**
 * Works with the score service that is up, or with one started for it, which ends with the work.
 * @throws what `work` throws, or what is behind it: an interruption, a service that died.
 */
export async function inSession<T>(
  stack: StackOptions,
  needs: SessionOptions['needs'],
  work: (session: Session) => Promise<T>,
): Promise<T> {
  using interruption = new Interruption();
  await using session = await Session.open({ ...stack, needs, signal: interruption.signal });
  try {
    return await work(session);
  } catch (error) {
    throw await session.explain(error);
  }
}
