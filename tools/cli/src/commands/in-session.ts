import { Interruption } from '../interruption.ts';
import { Session } from '../session.ts';
import type { StackOptions } from '../stack/stack.ts';

/** Asks what earlier campaigns found: the score service that is up, or one started for it. */
export async function inSession<T>(stack: StackOptions, work: (session: Session) => Promise<T>): Promise<T> {
  using interruption = new Interruption();
  await using session = await Session.open({ ...stack, needs: 'reports', signal: interruption.signal });
  return await work(session);
}

/** What commands have in common. */
export interface CommandOptions {
  /** Print JSON in place of text for people. */
  readonly json: boolean;
  /** Where the services that a command starts find things, and where it looks for ones that are up. */
  readonly stack: StackOptions;
}
