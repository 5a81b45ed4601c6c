import type { CostReport } from '@faultline/report';
import type { Victim } from '@faultline/victim';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';

/** A victim whose predictions and gradients are counted. */
export interface CountedVictim {
  readonly victim: Victim;
  readonly cost: () => CostReport;
}

export function countedVictim(victim: Victim): CountedVictim {
  let cost = NO_COST;
  const counted = async <Answer extends { readonly cost: CostReport }>(asked: Promise<Answer>): Promise<Answer> => {
    const answer = await asked;
    cost = addCosts(cost, answer.cost);
    return answer;
  };
  return {
    victim: {
      describe: (options) => victim.describe(options),
      predict: (inputs, options) => counted(victim.predict(inputs, options)),
      differentiate: (request, options) => counted(victim.differentiate(request, options)),
      open: (plan, parameters, options) => victim.open(plan, parameters, options),
      [Symbol.asyncDispose]: () => victim[Symbol.asyncDispose](),
    },
    cost: () => cost,
  };
}
