import { defineAttack } from './attack.ts';
import { ESTIMATE_PARAMETERS, estimatePlan } from './gradient-estimate.ts';

/**
 * Natural evolution strategies: the gradient is estimated from pairs of Gaussian probes on either side of the point.
 * Source: Ilyas et al. 2018, "Black-box Adversarial Attacks with Limited Queries and Information", section 3.1 and algorithm 1; descent with momentum
 * as in their experiments, on the margin.
 */
export const nes = defineAttack({
  name: 'nes',
  summary: 'Descent along gradients estimated from the scores of Gaussian probes in pairs.',
  source: 'Ilyas et al. 2018, arXiv 1804.08598',
  kind: 'fixed budget',
  knowledge: 'scores',
  norms: ['linf', 'l2'],
  parameters: ESTIMATE_PARAMETERS,
  plan: (setting, values) => estimatePlan(setting, values, 'normal'),
});
