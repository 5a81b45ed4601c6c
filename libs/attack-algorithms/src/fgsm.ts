import { type AttackSetting, defineAttack } from './attack.ts';
import type { ParameterSpecs } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationPlan } from './deactivation-plan.ts';
import { goalMargin } from './goals.ts';
import { furthestInL1 } from './l1-ball.ts';
import { LOSSES } from './losses.ts';
import { epsilonName, epsilonParameters, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, confined, project, steepest } from './projection.ts';

const PARAMETERS = {
  loss: {
    type: 'choice',
    description: 'What the step descends on: the margin, or a surrogate.',
    values: LOSSES,
    default: 'margin',
  },
} as const satisfies ParameterSpecs;

/** The single step must lower all labels that are near the highest: temperature of the smooth margin in units of the logit scale. */
const TEMPERATURE = 0.25;

function initProgram({ variables }: AttackSetting<BallNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const { name, dims } of variables) b.write(`next/${name}`, b.read(`x0/${name}`, dims), dims);
  keepBest(b, variables);
  return b.bytes('fgsm-init');
}

function stepProgram(setting: AttackSetting<BallNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, band, norm = setting.norm } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const descent = b.negate(confined(b, b.read(`grad/${name}`, dims), variable));
    const delta =
      norm === 'l1' && band === undefined
        ? furthestInL1(b, descent, epsilon, variable)
        : steepest(b, norm, descent, variable, epsilon);
    const tentative = b.plus(b.read(`x0/${name}`, dims), delta);
    b.write(`next/${name}`, project(b, norm, tentative, epsilon, variable), dims);
  }
  updateBest(b, variables, goalMargin(b, setting));
  return b.bytes('fgsm-step');
}

/**
 * The fast gradient (sign) method: one step of the whole budget from the clean point, down the gradient. L-inf: its sign; L2: its direction; L1:
 * its largest coordinates, each as far as the range lets it go. On a linear victim with one true label that is the optimum for L-inf and L1,
 * and for L2 where the range stops nothing.
 * Source: Goodfellow, Shlens, Szegedy 2015, "Explaining and harnessing adversarial examples", arXiv 1412.6572, section 4; L2 and L1: the
 * same linearisation in the other norms. Cost: one gradient and one forward evaluation; steps and restarts change nothing.
 */
export const fgsm = defineAttack({
  name: 'fgsm',
  summary: 'Fast gradient (sign) method: one step of the whole budget from the clean point.',
  source: 'Goodfellow, Shlens, Szegedy 2015, arXiv 1412.6572',
  kind: 'fixed budget',
  knowledge: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  mixes: ['linf', 'l2', 'l1'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan(setting, values) {
    const temperature = setting.logitScale * TEMPERATURE;
    return deactivationPlan(
      setting,
      { init: initProgram(setting), step: stepProgram(setting) },
      {
        steps: 1,
        loss: values.loss,
        initParameters: () => ({}),
        stepParameters: (examples) => ({
          ...epsilonParameters(setting, examples),
          temperature: stepwise([temperature], examples.length),
        }),
      },
    );
  },
});
