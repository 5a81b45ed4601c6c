import { defineAttack } from './attack.ts';
import { ESTIMATE_PARAMETERS, estimatePlan } from './gradient-estimate.ts';

/**
 * Simultaneous perturbation stochastic approximation: the gradient is estimated from pairs of probes by random signs, each coordinate as far from the point.
 * Source: Uesato et al. 2018, "Adversarial Risk and the Dangers of Evaluating Against Weak Attacks", section 4.1 and algorithm 1 (after Spall 1992); descent
 * with momentum on the margin, where they use Adam.
 */
export const spsa = defineAttack({
  name: 'spsa',
  summary: 'Descent along gradients estimated from the scores of random signs in pairs.',
  source: 'Spall 1992; Uesato et al. 2018, arXiv 1802.05666',
  kind: 'fixed budget',
  knowledge: 'scores',
  norms: ['linf', 'l2'],
  parameters: ESTIMATE_PARAMETERS,
  plan: (setting, values) => estimatePlan(setting, values, 'signs'),
});
