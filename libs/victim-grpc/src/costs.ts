import type { common } from '@faultline/contracts';
import type { Cost } from '@faultline/victim';

/** Cost as the interface counts it; a server that sends none did no counted work. */
export function costOf(cost: common.EvaluationCost | undefined): Cost {
  return { forwardExamples: cost?.forwardExamples ?? 0, gradientExamples: cost?.gradientExamples ?? 0 };
}

export const sumCosts = (costs: readonly Cost[]): Cost => ({
  forwardExamples: costs.reduce((sum, cost) => sum + cost.forwardExamples, 0),
  gradientExamples: costs.reduce((sum, cost) => sum + cost.gradientExamples, 0),
});
