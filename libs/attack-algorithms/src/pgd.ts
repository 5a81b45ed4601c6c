import type { AttackDefinition, AttackSetting, ExampleBudget, NormName } from './attack.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationObjective, exactMargin } from './deactivation.ts';
import { epsilonName, epsilonParameters, settingConstants, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { keepBounds, masked, project, projectAgain, steepest } from './projection.ts';

/**
 * Length of the whole path in units of epsilon. L-inf: Madry's 2.5 epsilon / steps a step, on average; longer steps zigzag where
 * two labels are level. L2: each step shrinks what is off the optimal direction by about 1 / (1 + step size), so exp(-5)
 * of it is left.
 */
const PATH_LENGTH = { linf: 2.5, l2: 5 } as const satisfies Record<NormName, number>;

/** The last step as a share of epsilon: the zigzag that is left around the optimum. */
const LAST_STEP = 0.004;

/**
 * Temperatures of the smooth margin at the first and the last step, in units of the logit scale: a first step moves the margin by
 * about that much, and a temperature far below what a step moves follows one label at a time.
 */
const FIRST_TEMPERATURE = 0.25;
const LAST_TEMPERATURE = 0.005;

/** Step sizes in units of epsilon: a half cosine from twice the mean down to the last step. */
export function stepSizes(steps: number, norm: NormName): number[] {
  const first = Math.min(1, (2 * PATH_LENGTH[norm]) / steps);
  return Array.from({ length: steps }, (_, step) => LAST_STEP + (first - LAST_STEP) * cosineDecay(step, steps));
}

/** Temperatures in logits, falling in step with the step sizes. */
export function temperatures(steps: number, logitScale: number): number[] {
  const range = FIRST_TEMPERATURE - LAST_TEMPERATURE;
  return Array.from({ length: steps }, (_, step) => logitScale * (LAST_TEMPERATURE + range * cosineDecay(step, steps)));
}

/** From 1 at the first step to nearly 0 at the last. */
const cosineDecay = (step: number, steps: number) => (1 + Math.cos((Math.PI * step) / Math.max(1, steps - 1))) / 2;

/** Random start: uniform in the ball for L-inf, on its surface for L2 (where nearly all of a ball of many dimensions is). */
function initProgram({ variables, norm }: AttackSetting): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const noise = masked(b, b.read(`noise/${name}`, dims), variable);
    const delta = norm === 'linf' ? b.times(noise, b.spread(epsilon, dims)) : steepest(b, norm, noise, dims, epsilon);
    const start = b.plus(b.read(`x0/${name}`, dims), delta);
    b.write(`next/${name}`, project(b, norm, start, epsilon, variable), dims);
    keepBounds(b, norm, epsilon, variable);
  }
  keepBest(b, variables);
  return b.bytes('pgd-init');
}

/** One step of steepest descent in each variable's own ball: with a joint budget max_v |delta_v| / rho_v the balls are independent. */
function stepProgram({ variables, norm, thresholds }: AttackSetting): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const length = b.times(b.read('param/stepSize'), epsilon);
    const gradient = masked(b, b.read(`grad/${name}`, dims), variable);
    const tentative = b.minus(b.read(`x/${name}`, dims), steepest(b, norm, gradient, dims, length));
    b.write(`next/${name}`, projectAgain(b, norm, tentative, epsilon, variable), dims);
  }
  updateBest(b, variables, exactMargin(b, thresholds.length));
  return b.bytes('pgd-step');
}

const NOISE = { linf: 'uniform', l2: 'normal' } as const satisfies Record<NormName, string>;

/**
 * Projected gradient descent on the smooth margin, from a random start, keeping the lowest-margin iterate.
 * Source: Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks", section 2.1; step sizes decay
 * so that it ends at the optimum rather than around it.
 */
export const pgd: AttackDefinition = {
  name: 'pgd',
  summary: 'Projected gradient descent on the margin with a random start and decaying steps.',
  source: 'Madry et al. 2018, arXiv 1706.06083',
  norms: ['linf', 'l2'],
  whiteBox: true,
  plan(setting) {
    const sizes = stepSizes(setting.steps, setting.norm);
    const heat = temperatures(setting.steps, setting.logitScale);
    const atEnd = setting.logitScale * LAST_TEMPERATURE;
    return {
      programs: {
        objective: deactivationObjective(setting.thresholds.length),
        step: stepProgram(setting),
        init: initProgram(setting),
      },
      noise: NOISE[setting.norm],
      constants: settingConstants(setting),
      steps: setting.steps,
      initParameters: (examples) => epsilonParameters(setting, examples),
      stepParameters: (examples: readonly ExampleBudget[], first, count) => ({
        ...epsilonParameters(setting, examples),
        stepSize: stepwise(count === 0 ? [0] : sizes.slice(first, first + count), examples.length),
        temperature: stepwise(count === 0 ? [atEnd] : heat.slice(first, first + count), examples.length),
      }),
    };
  },
};
