import type { NumberParameter } from './attack-parameters.ts';

/** Beyond this, an attack on one clip takes hours on any victim. */
const MAX_QUERIES = 10_000_000;

/** The query budget of a black-box attack, which counts instead of steps. */
export const queriesParameter = (queries: number): NumberParameter => ({
  type: 'number',
  description: 'Query budget: most evaluations of the victim for each clip, rung and start.',
  minimum: 1,
  maximum: MAX_QUERIES,
  default: queries,
  whole: true,
});

/**
 * Steps that a query budget pays for, where each step takes `samples` queries. A loop ends with an evaluation of its last point, which takes as
 * many; at least that one is made.
 */
export const affordedSteps = (queries: number, samples: number): number =>
  Math.max(0, Math.floor(queries / samples) - 1);
