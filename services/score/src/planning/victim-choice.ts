import type { Services } from '../peers/services.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { Report } from './violations.ts';

/** Names of the victims that a request asks for, in its order: those named, or all. */
export function askedVictims(asked: readonly string[], known: readonly string[]): readonly string[] {
  return asked.length > 0 ? asked : known;
}

/**
 * Describes the victims that a request asks for; unknown and repeated names are reported and left out.
 * @param path of the list of names.
 * @throws FaultlineError naming the victim whose inference service does not answer, or cannot be used.
 */
export async function chooseVictims(
  services: Services,
  asked: readonly string[],
  path: string,
  report: Report,
  signal: AbortSignal,
): Promise<VictimUnderTest[]> {
  const known = services.victimNames;
  const names = askedVictims(asked, known);
  if (names.length === 0) report(path, 'the service has no victims configured');
  const chosen = names.filter((name, index) => {
    const field = `${path}[${index}]`;
    if (names.indexOf(name) !== index) report(field, `'${name}' is named twice`);
    else if (!known.includes(name)) report(field, `'${name}' is not a known victim (known: ${known.join(', ')})`);
    else return true;
    return false;
  });
  return Promise.all(chosen.map((name) => services.describe(name, signal)));
}
