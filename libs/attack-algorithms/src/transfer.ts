import { apgd } from './apgd.ts';
import { defineAttack } from './attack.ts';
import { defaultValues, type ParameterSpecs } from './attack-parameters.ts';
import { LOSSES } from './losses.ts';
import { miFgsm } from './mi-fgsm.ts';
import { pgd } from './pgd.ts';

/** Attacks that may craft on the surrogate. */
const METHODS = { 'mi-fgsm': miFgsm, pgd, apgd } as const;

const PARAMETERS = {
  method: {
    type: 'choice',
    description: 'Which attack crafts on the surrogate, its other parameters at their defaults.',
    values: ['mi-fgsm', 'pgd', 'apgd'],
    default: 'mi-fgsm',
  },
  loss: {
    type: 'choice',
    description: 'What it descends on: the margin of the surrogate, or another loss.',
    values: LOSSES,
    default: 'margin',
  },
} as const satisfies ParameterSpecs;

/**
 * Candidates crafted on another victim with the same inputs and labels, of which the victim under attack is asked once each (see `transferAttack`): the plan is that of the loop on
 * the surrogate. The default method accumulates its gradient, which transfers better than PGD.
 * Source: Papernot et al. 2016, "Transferability in Machine Learning", arXiv 1605.07277, section 3; Dong et al. 2018, arXiv 1710.06081.
 * Cost: that of the method on the surrogate, and a forward evaluation of the victim for each clip and rung.
 */
export const transfer = defineAttack({
  name: 'transfer',
  summary: 'Crafted on another victim, the surrogate, by its gradients; the victim is asked once for each candidate.',
  source: 'Papernot et al. 2016, arXiv 1605.07277; Dong et al. 2018, arXiv 1710.06081',
  kind: 'fixed budget',
  knowledge: 'labels',
  needsSurrogate: true,
  norms: ['linf', 'l2'],
  mixes: ['linf', 'l2'],
  goals: ['deactivate all', 'deactivate one', 'fabricate one'],
  parameters: PARAMETERS,
  plan(setting, { method, loss }) {
    const crafting = METHODS[method];
    return crafting.plan(setting, { ...defaultValues(crafting.parameters), loss });
  },
});
