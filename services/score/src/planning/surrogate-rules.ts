import type { attack, victim } from '@faultline/contracts';
import type { Services } from '../peers/services.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { namedAttacks } from './planned-attacks.ts';
import type { Report } from './violations.ts';

/**
 * Checks the victims that attacks craft on, at `path` of a request: each is known, is not attacked itself, and has the inputs and labels of those that are.
 * @throws FaultlineError naming the victim whose inference service does not answer, or cannot be used.
 */
export async function checkSurrogates(
  models: readonly attack.ThreatModel[],
  path: string,
  services: Services,
  victims: readonly VictimUnderTest[],
  report: Report,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, model] of models.entries()) {
    for (const { surrogate, path: place } of namedAttacks(model)) {
      if (surrogate === '') continue;
      const field = `${path}[${index}]${place}.surrogate`;
      if (!services.victimNames.includes(surrogate)) {
        report(field, `'${surrogate}' is not a known victim (known: ${services.victimNames.join(', ')})`);
        continue;
      }
      const { card } = await services.describe(surrogate, signal);
      for (const attacked of victims) checkPair(surrogate, card, attacked, field, report);
    }
  }
}

function checkPair(
  surrogate: string,
  card: victim.Card,
  attacked: VictimUnderTest,
  field: string,
  report: Report,
): void {
  if (attacked.name === surrogate) {
    const remedy = 'a transfer is to another victim: name the victims without it, or another surrogate';
    report(field, `'${surrogate}' is attacked itself; ${remedy}`);
    return;
  }
  for (const what of ['inputs', 'labels'] as const) {
    if (SAME[what](card) === SAME[what](attacked.card)) continue;
    report(field, `'${surrogate}' has other ${what} than victim '${attacked.name}'; name one with the same`);
  }
}

/** What a perturbation needs to be carried over, in a form that compares. */
const SAME = {
  inputs: ({ inputs }: victim.Card) => JSON.stringify(inputs.toSorted((a, b) => (a.name < b.name ? -1 : 1))),
  labels: ({ labels }: victim.Card) => JSON.stringify(labels.map(({ label }) => label)),
} as const;
