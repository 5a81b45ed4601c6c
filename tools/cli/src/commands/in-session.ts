import { Interruption } from '../interruption.ts';
import { Session } from '../session.ts';

/** Runs a short piece of work with the score service of services that are up, or of ones started for it. */
export async function inSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  using interruption = new Interruption();
  await using session = await Session.open({ signal: interruption.signal });
  return await work(session);
}
