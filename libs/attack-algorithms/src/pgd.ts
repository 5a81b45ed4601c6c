import { type AttackSetting, defineAttack } from './attack.ts';
import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { exactMargin } from './deactivation.ts';
import { deactivationPlan } from './deactivation-plan.ts';
import { epsilonName, epsilonParameters, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, confined, keepBounds, project, projectAgain, steepest } from './projection.ts';

/**
 * Length of the whole path in units of epsilon. L-inf: Madry's 2.5 epsilon / steps a step, on average; longer steps zigzag where
 * two labels are level. L2: each step shrinks what is off the optimal direction by about 1 / (1 + step size), so exp(-5)
 * of it is left.
 */
const PATH_LENGTH = { linf: 2.5, l2: 5 } as const satisfies Record<BallNorm, number>;

/** What PGD can be told beside steps and restarts. */
const PARAMETERS = {
  step_scale: {
    type: 'number',
    description:
      'Factor on all step sizes; at 1 the steps of a restart add up to 2.5 epsilon (L-inf) or 5 epsilon (L2).',
    minimum: 0.01,
    maximum: 100,
    default: 1,
  },
  schedule: {
    type: 'choice',
    description: 'Whether step sizes fall along a half cosine or stay as they are.',
    values: ['cosine', 'constant'],
    default: 'cosine',
  },
  last_step: {
    type: 'number',
    description: 'Last step of the cosine schedule, as a share of epsilon: the zigzag that is left around the optimum.',
    minimum: 1e-4,
    maximum: 1,
    default: 0.004,
  },
  random_start: {
    type: 'number',
    description: 'Share of epsilon that the random start of a restart fills; 0 starts at the clean point.',
    minimum: 0,
    maximum: 1,
    default: 1,
  },
} as const satisfies ParameterSpecs;

type Values = ValuesOf<typeof PARAMETERS>;

/**
 * Temperatures of the smooth margin at the first and the last step, in units of the logit scale: a first step moves the margin by
 * about that much, and a temperature far below what a step moves follows one label at a time.
 */
const FIRST_TEMPERATURE = 0.25;
const LAST_TEMPERATURE = 0.005;

/** Step sizes in units of epsilon: a half cosine from twice the mean down to the last step, or the mean throughout. */
export function stepSizes(steps: number, norm: BallNorm, values: Values): number[] {
  const mean = (values.step_scale * PATH_LENGTH[norm]) / steps;
  if (values.schedule === 'constant') return Array.from({ length: steps }, () => mean);
  const first = Math.min(values.step_scale, 2 * mean);
  const last = Math.min(first, values.last_step);
  return Array.from({ length: steps }, (_, step) => last + (first - last) * cosineDecay(step, steps));
}

/** Temperatures in logits, falling in step with the step sizes. */
export function temperatures(steps: number, logitScale: number): number[] {
  const range = FIRST_TEMPERATURE - LAST_TEMPERATURE;
  return Array.from({ length: steps }, (_, step) => logitScale * (LAST_TEMPERATURE + range * cosineDecay(step, steps)));
}

/** From 1 at the first step to nearly 0 at the last. */
const cosineDecay = (step: number, steps: number) => (1 + Math.cos((Math.PI * step) / Math.max(1, steps - 1))) / 2;

/**
 * Random start: uniform in the ball for L-inf, on a sphere for L2 (where nearly all of a ball of many dimensions is); of the share of epsilon
 * that param/start says.
 */
function initProgram({ variables, norm }: AttackSetting<BallNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const radius = b.times(epsilon, b.read('param/start'));
    const noise = confined(b, b.read(`noise/${name}`, dims), variable);
    const delta = norm === 'linf' ? b.times(noise, b.spread(radius, dims)) : steepest(b, norm, noise, variable, radius);
    const start = b.plus(b.read(`x0/${name}`, dims), delta);
    b.write(`next/${name}`, project(b, norm, start, epsilon, variable), dims);
    keepBounds(b, norm, epsilon, variable);
  }
  keepBest(b, variables);
  return b.bytes('pgd-init');
}

/** One step of steepest descent in each variable's own ball: with a joint budget max_v |delta_v| / rho_v the balls are independent. */
function stepProgram({ variables, norm, thresholds }: AttackSetting<BallNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const length = b.times(b.read('param/stepSize'), epsilon);
    const gradient = confined(b, b.read(`grad/${name}`, dims), variable);
    const tentative = b.minus(b.read(`x/${name}`, dims), steepest(b, norm, gradient, variable, length));
    b.write(`next/${name}`, projectAgain(b, norm, tentative, epsilon, variable), dims);
  }
  updateBest(b, variables, exactMargin(b, thresholds.length));
  return b.bytes('pgd-step');
}

/**
 * Projected gradient descent on the smooth margin, from a random start, keeping the lowest-margin iterate.
 * Source: Madry et al. 2018, "Towards Deep Learning Models Resistant to Adversarial Attacks", section 2.1; step sizes decay
 * so that it ends at the optimum rather than around it.
 */
export const pgd = defineAttack({
  name: 'pgd',
  summary: 'Projected gradient descent on the margin with a random start and decaying steps.',
  source: 'Madry et al. 2018, arXiv 1706.06083',
  kind: 'fixed budget',
  knowledge: 'gradients',
  norms: ['linf', 'l2'],
  parameters: PARAMETERS,
  plan(setting, values) {
    const sizes = stepSizes(setting.steps, setting.norm, values);
    const heat = temperatures(setting.steps, setting.logitScale);
    const atEnd = setting.logitScale * LAST_TEMPERATURE;
    return deactivationPlan(
      setting,
      { init: initProgram(setting), step: stepProgram(setting) },
      {
        steps: setting.steps,
        initParameters: (examples) => ({
          ...epsilonParameters(setting, examples),
          start: stepwise([values.random_start], examples.length),
        }),
        stepParameters: (examples, first, count) => ({
          ...epsilonParameters(setting, examples),
          stepSize: stepwise(count === 0 ? [0] : sizes.slice(first, first + count), examples.length),
          temperature: stepwise(count === 0 ? [atEnd] : heat.slice(first, first + count), examples.length),
        }),
      },
    );
  },
});
