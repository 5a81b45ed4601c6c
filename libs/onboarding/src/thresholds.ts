import type { Answers } from './answers.ts';
import { OnboardingError } from './onboarding-error.ts';

/** What a label's score says: a probability by way of its logit or log-odds, or nothing but a number. */
export type ScoreMeaning = 'probability' | 'number';

export interface Thresholds {
  /** t_y in logits, in the order of the labels. */
  readonly values: readonly number[];
  /** For the card's operating point. */
  readonly told: string;
}

const logit = (probability: number) => Math.log(probability / (1 - probability));

/**
 * From where on a label counts as active: one number for all labels, `LABEL:NUMBER` for single ones, separated by commas. Numbers are
 * probabilities where scores tell them, scores otherwise.
 * @throws OnboardingError for a label that there is none of, and a number that is none or no probability.
 */
export async function askThresholds(
  answers: Answers,
  labels: readonly string[],
  meaning: ScoreMeaning,
  certain: boolean,
): Promise<Thresholds> {
  const byDefault = meaning === 'probability' ? '0.5' : '0';
  const text = await answers.get({
    field: 'threshold',
    text: `From which ${meaning === 'probability' ? 'probability' : 'score'} on is a label active? One number, and LABEL:NUMBER for single labels.`,
    why: 'A graph does not say; attacks push labels below it. Best is the one that the model is deployed with.',
    default: byDefault,
    certain,
  });
  const own = new Map<string, number>();
  let others = Number(byDefault);
  for (const part of text.split(',').map((word) => word.trim())) {
    // A label may hold a colon, a number does not.
    const colon = part.lastIndexOf(':');
    const number = numberOf(part.slice(colon + 1), part, meaning);
    if (colon < 0) others = number;
    else if (labels.includes(part.slice(0, colon))) own.set(part.slice(0, colon), number);
    else throw new OnboardingError(`--set threshold=${part}: there is no such label; there are ${labels.join(', ')}`);
  }
  const toLogit = (number: number) => (meaning === 'probability' ? logit(number) : number);
  const values = labels.map((label) => toLogit(own.get(label) ?? others));
  const rest = meaning === 'probability' ? `probability ${others}` : `score ${others}`;
  const told =
    own.size === 0
      ? `${rest} for every label`
      : `${rest}, ${own.size} of ${labels.length} labels have a threshold of their own`;
  return { values, told };
}

function numberOf(text: string, part: string, meaning: ScoreMeaning): number {
  const number = Number(text);
  const fits = text.trim() !== '' && Number.isFinite(number) && (meaning === 'number' || (number > 0 && number < 1));
  if (fits) return number;
  throw new OnboardingError(
    `--set threshold=${part}: give ${meaning === 'probability' ? 'a probability between 0 and 1' : 'a number'}`,
  );
}
