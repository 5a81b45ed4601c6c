import { elementCount } from '@faultline/contracts';
import { type AttackSetting, type AttackVariable, defineAttack } from './attack.ts';
import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationPlan } from './deactivation-plan.ts';
import { goalMargin } from './goals.ts';
import { sparseStep } from './l1-ball.ts';
import { LOSSES } from './losses.ts';
import { epsilonName, epsilonParameters, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import {
  type BallNorm,
  confined,
  keepBounds,
  noiseAtSize,
  project,
  projectAgain,
  scaledTo,
  steepest,
} from './projection.ts';
import { SHIFT_PARAMETERS, shiftTolerant } from './shift-tolerance.ts';

/**
 * Length of the whole path in units of epsilon. L-inf: Madry's 2.5 epsilon / steps a step, on average; longer steps zigzag where
 * two labels are level. L2: each step shrinks what is off the optimal direction by about 1 / (1 + step size), so exp(-5)
 * of it is left. L1: a step moves few coordinates, and those that it finds late must still take over the mass of others.
 */
const PATH_LENGTH = { linf: 2.5, l2: 5, l1: 10 } as const satisfies Record<BallNorm, number>;

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
  loss: {
    type: 'choice',
    description: 'What is descended on: the margin, or a surrogate.',
    values: LOSSES,
    default: 'margin',
  },
  ...SHIFT_PARAMETERS,
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

/** Name of the parameter that holds a variable's step size in units of epsilon, [examples]. */
const stepSizeName = (variable: string) => `stepSize/${variable}`;

/** Temperatures in logits, falling in step with the step sizes. */
export function temperatures(steps: number, logitScale: number): number[] {
  const range = FIRST_TEMPERATURE - LAST_TEMPERATURE;
  return Array.from({ length: steps }, (_, step) => logitScale * (LAST_TEMPERATURE + range * cosineDecay(step, steps)));
}

/** Share of the coordinates that an L1 step moves: from a hundredth, as in its source, down to a single one. */
const FIRST_SHARE = 0.01;
const sparseShares = (steps: number) =>
  Array.from({ length: steps }, (_, step) => FIRST_SHARE * cosineDecay(step, steps));

/** From 1 at the first step to nearly 0 at the last. */
const cosineDecay = (step: number, steps: number) => (1 + Math.cos((Math.PI * step) / Math.max(1, steps - 1))) / 2;

/**
 * Random start: uniform in the ball for L-inf, on a sphere for L2 (where nearly all of a ball of many dimensions is); of the share of epsilon
 * that param/start says.
 */
function initProgram(setting: AttackSetting<BallNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, norm = setting.norm } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const radius = b.times(epsilon, b.read('param/start'));
    const noise = b.read(`noise/${name}`, dims);
    const fills = norm === 'linf' && variable.weighted === undefined;
    const delta = fills
      ? b.times(confined(b, noise, variable), b.spread(radius, dims))
      : noiseAtSize(b, norm, noise, radius, variable);
    const start = b.plus(b.read(`x0/${name}`, dims), delta);
    b.write(`next/${name}`, project(b, norm, start, epsilon, variable), dims);
    keepBounds(b, norm, epsilon, variable);
  }
  keepBest(b, variables);
  return b.bytes('pgd-init');
}

/** One step of steepest descent in each variable's own ball: with a joint budget max_v |delta_v| / rho_v the balls are independent. */
export function pgdStep(
  setting: AttackSetting<BallNorm>,
  b = new ProgramBuilder(),
  marginOf = (builder: ProgramBuilder) => goalMargin(builder, setting),
): Uint8Array {
  const { variables } = setting;
  for (const variable of variables) {
    const { name, dims, norm = setting.norm } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const length = b.times(b.read(`param/${stepSizeName(name)}`), epsilon);
    const gradient = confined(b, b.read(`grad/${name}`, dims), variable);
    const x = b.read(`x/${name}`, dims);
    const tentative =
      norm === 'l1'
        ? b.plus(x, sparseDescent(b, gradient, x, length, variable))
        : b.minus(x, steepest(b, norm, gradient, variable, length));
    b.write(`next/${name}`, projectAgain(b, norm, tentative, epsilon, variable), dims);
  }
  updateBest(b, variables, marginOf(b));
  return b.bytes('pgd-step');
}

/** A step down the gradient on as many coordinates as param/share says, one at least; in a band, what the band leaves of it. */
function sparseDescent(
  b: ProgramBuilder,
  gradient: string,
  point: string,
  length: string,
  variable: AttackVariable,
): string {
  const count = b.times(b.read('param/share'), b.scalar(elementCount(variable.dims)));
  const step = sparseStep(b, b.negate(gradient), point, length, count, variable);
  return variable.band === undefined ? step : scaledTo(b, 'l1', confined(b, step, variable), length, variable.dims);
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
  norms: ['linf', 'l2', 'l1'],
  mixes: ['linf', 'l2', 'l1'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan(setting, values) {
    const sizes = setting.variables.map(({ name, norm = setting.norm, stepScale = 1 }) => ({
      name: stepSizeName(name),
      sizes: stepSizes(setting.steps, norm, values).map((size) => size * stepScale),
    }));
    const heat = temperatures(setting.steps, setting.logitScale);
    const shares = sparseShares(setting.steps);
    const atEnd = setting.logitScale * LAST_TEMPERATURE;
    const plan = deactivationPlan(
      setting,
      { init: initProgram(setting), step: pgdStep(setting) },
      {
        steps: setting.steps,
        loss: values.loss,
        initParameters: (examples) => ({
          ...epsilonParameters(setting, examples),
          start: stepwise([values.random_start], examples.length),
        }),
        stepParameters: (examples, first, count) => ({
          ...epsilonParameters(setting, examples),
          ...Object.fromEntries(
            sizes.map(({ name, sizes }) => [
              name,
              stepwise(count === 0 ? [0] : sizes.slice(first, first + count), examples.length),
            ]),
          ),
          temperature: stepwise(count === 0 ? [atEnd] : heat.slice(first, first + count), examples.length),
          share: stepwise(count === 0 ? [0] : shares.slice(first, first + count), examples.length),
        }),
      },
    );
    if (values.shift_share === 0) return plan;
    return shiftTolerant(plan, setting, {
      ...values,
      step: ({ b, marginOf }) => pgdStep(setting, b, marginOf),
    });
  },
});
