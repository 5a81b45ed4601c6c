import { readFileSync } from 'node:fs';
import { FaultlineError, targetAddress } from '@faultline/service-kit';
import { CardError, parseCard } from '@faultline/victim';
import type { OipAnswers, OipOptions } from '@faultline/victim-grpc';

/** How the address of a victim behind an Open Inference Protocol server begins. */
const SCHEME = 'oip:';

const ANSWERS: readonly OipAnswers[] = ['logits', 'probabilities', 'labels'];
const PARAMETERS = ['card', 'version', 'answers', 'max_batch', 'query_budget'];

/** Where a black-box victim is, and what its answers are. */
export interface OipAddress extends OipOptions {
  readonly answers: OipAnswers;
}

export const isOipAddress = (address: string): boolean => address.startsWith(SCHEME);

/**
 * Reads `oip:host:port/model?card=path`: a model behind an Open Inference Protocol server. `card` is the path of its card (labels, thresholds, inputs;
 * `logits` names the output that holds the answers). Optional: `version`; `answers`, one of logits (default), probabilities, labels; `max_batch`, rows of
 * a request; `query_budget`, most rows over the life of this process.
 * @throws FaultlineError invalid_argument naming what cannot be used
 */
export function readOipAddress(text: string): OipAddress {
  const refuse = (problem: string) => FaultlineError.invalid('victims', `'${text}': ${problem}`);
  const [place = '', query = ''] = text.slice(SCHEME.length).split('?', 2);
  const slash = place.lastIndexOf('/');
  const [address, model] = [place.slice(0, slash), decodeURIComponent(place.slice(slash + 1))];
  if (slash < 1 || model === '' || !targetAddress.safeParse(address).success)
    throw refuse('give oip:host:port/model?card=path');
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) throw refuse(`'${unknown}' is no parameter; use ${PARAMETERS.join(', ')}`);
  const given = parameters.get('answers') ?? 'logits';
  const answers = ANSWERS.find((known) => known === given);
  if (answers === undefined) throw refuse(`answers is '${given}'; give one of ${ANSWERS.join(', ')}`);
  const whole = (name: string) => {
    const value = parameters.get(name);
    if (value === null) return undefined;
    const number = Number(value);
    if (!Number.isSafeInteger(number) || number < 1) throw refuse(`${name} is '${value}'; give a whole number from 1`);
    return number;
  };
  const path = parameters.get('card');
  if (path === null) throw refuse('has no card; add ?card=path');
  return {
    address,
    model,
    version: parameters.get('version') ?? undefined,
    card: readCard(path, refuse),
    answers,
    maxBatch: whole('max_batch'),
    queryBudget: whole('query_budget'),
  };
}

function readCard(path: string, refuse: (problem: string) => FaultlineError) {
  try {
    return parseCard(readFileSync(path, 'utf8'));
  } catch (error) {
    const problem = error instanceof CardError ? error.message : `cannot be read (${(error as Error).message})`;
    throw refuse(`card '${path}': ${problem}`);
  }
}
