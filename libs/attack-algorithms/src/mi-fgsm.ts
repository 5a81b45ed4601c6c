import { elementCount } from '@faultline/contracts';
import { type AttackSetting, defineAttack } from './attack.ts';
import type { ParameterSpecs } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationPlan } from './deactivation-plan.ts';
import { goalMargin } from './goals.ts';
import { LOSSES } from './losses.ts';
import { epsilonName, epsilonParameters, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { confined, keepBounds, projectAgain, scaledTo, steepest } from './projection.ts';

const PARAMETERS = {
  momentum: {
    type: 'number',
    description: 'mu: what is kept of the accumulated gradient in each step.',
    minimum: 0,
    maximum: 10,
    default: 1,
  },
  step_scale: {
    type: 'number',
    description: 'Factor on the step size, which at 1 is epsilon / steps.',
    minimum: 0.01,
    maximum: 100,
    default: 1,
  },
  loss: {
    type: 'choice',
    description: 'What is descended on: the margin, or a surrogate.',
    values: LOSSES,
    default: 'margin',
  },
} as const satisfies ParameterSpecs;

type MomentumNorm = 'linf' | 'l2';

/** Temperature of the smooth margin, in units of the logit scale: that of a step of medium size (see PGD). */
const TEMPERATURE = 0.05;

/** Where a variable's accumulated gradient is kept. */
const momentumSlot = (variable: string) => `state/momentum/${variable}`;

function initProgram(setting: AttackSetting<MomentumNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, norm = setting.norm } = variable;
    const x0 = b.read(`x0/${name}`, dims);
    b.write(`next/${name}`, x0, dims);
    b.write(`next/${momentumSlot(name)}`, b.times(x0, b.scalar(0)), dims);
    keepBounds(b, norm, b.read(`param/${epsilonName(name)}`), variable);
  }
  keepBest(b, variables);
  return b.bytes('mi-fgsm-init');
}

/** g' = mu g + grad / mean |grad|; x' = the projection of x - step size x (sign of g', or its direction in L2). */
function stepProgram(setting: AttackSetting<MomentumNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, norm = setting.norm, stepScale = 1 } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const gradient = confined(b, b.read(`grad/${name}`, dims), variable);
    const one = b.plus(b.times(epsilon, b.scalar(0)), b.scalar(elementCount(dims)));
    const kept = b.times(b.read(momentumSlot(name), dims), b.spread(b.read('param/momentum'), dims));
    const momentum = b.plus(kept, scaledTo(b, 'l1', gradient, one, dims));
    b.write(`next/${momentumSlot(name)}`, momentum, dims);
    const length = b.times(b.times(b.read('param/stepSize'), epsilon), b.scalar(stepScale));
    const tentative = b.minus(b.read(`x/${name}`, dims), steepest(b, norm, momentum, variable, length));
    b.write(`next/${name}`, projectAgain(b, norm, tentative, epsilon, variable), dims);
  }
  updateBest(b, variables, goalMargin(b, setting));
  return b.bytes('mi-fgsm-step');
}

/**
 * The momentum iterative fast gradient sign method, from the clean point with steps of epsilon / steps: iterates transfer better to other victims than
 * those of PGD. The accumulated gradient sums gradients of mean size 1 (the paper's L1 normalisation, up to a constant that no sign or direction
 * sees). Each iterate is projected onto the ball around the clean point: clipping around the last iterate instead, as some
 * implementations do, exceeds the budget.
 * Source: Dong et al. 2018, "Boosting adversarial attacks with momentum", arXiv 1710.06081, algorithm 1 (L-inf), section 3.4 (L2).
 * Cost: a gradient a step and one forward evaluation; restarts change nothing.
 */
export const miFgsm = defineAttack({
  name: 'mi-fgsm',
  summary: 'Momentum iterative FGSM: steps of epsilon / steps along an accumulated gradient; made to transfer.',
  source: 'Dong et al. 2018, arXiv 1710.06081',
  kind: 'fixed budget',
  knowledge: 'gradients',
  norms: ['linf', 'l2'],
  mixes: ['linf', 'l2'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan(setting, values) {
    const constants = (examples: number) => ({
      temperature: stepwise([setting.logitScale * TEMPERATURE], examples),
      stepSize: stepwise([values.step_scale / setting.steps], examples),
      momentum: stepwise([values.momentum], examples),
    });
    return deactivationPlan(
      setting,
      { init: initProgram(setting), step: stepProgram(setting) },
      {
        steps: setting.steps,
        loss: values.loss,
        initParameters: (examples) => epsilonParameters(setting, examples),
        stepParameters: (examples) => ({ ...epsilonParameters(setting, examples), ...constants(examples.length) }),
      },
    );
  },
});
