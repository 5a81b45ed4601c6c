import { elementCount } from '@faultline/contracts';
import { checkpoints, settling } from './apgd-schedule.ts';
import { advanceState, type Base, FIRST_STEP } from './apgd-state.ts';
import { type AttackSetting, defineAttack } from './attack.ts';
import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationPlan } from './deactivation-plan.ts';
import { goalMargin } from './goals.ts';
import { equalOnLargest, sparseStep } from './l1-ball.ts';
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
import { SHIFT_PARAMETERS, type ShiftedEvaluation, shiftTolerant } from './shift-tolerance.ts';

const PARAMETERS = {
  loss: {
    type: 'choice',
    description: 'What is descended on: the margin, or a surrogate.',
    values: LOSSES,
    default: 'margin',
  },
  random_start: {
    type: 'number',
    description: 'Share of epsilon that the random start of a restart fills; 0 starts at the clean point.',
    minimum: 0,
    maximum: 1,
    default: 1,
  },
  temperature: {
    type: 'number',
    description:
      'Temperature of the smooth maxima of margin and dlr at the first step, in units of the logit scale; falls with the step size.',
    minimum: 1e-4,
    maximum: 10,
    default: 1,
  },
  sparse_among: {
    type: 'choice',
    description:
      'L1: whether steps choose among the coordinates that the range lets move, and go no farther than it does, or (as the paper) among all.',
    values: ['movable', 'all'],
    default: 'movable',
  },
  settling: {
    type: 'number',
    description:
      'L1: share of the steps, the last ones and 25 at least, whose size falls to nothing; 0, as in the paper: none.',
    minimum: 0,
    maximum: 1,
    default: 0.4,
  },
  ...SHIFT_PARAMETERS,
} as const satisfies ParameterSpecs;

type Values = ValuesOf<typeof PARAMETERS>;

/**
 * The temperature falls with an example's step size, to this share of its first value at most: a constant high one is biased where two labels are level, a
 * constant low one follows one label at a time, which looks like oscillation and halves the steps too early.
 */
const LAST_TEMPERATURE = 0.004;

/** alpha: share of the gradient step in a step with momentum. Croce, Hein 2020, section 3.1. */
const ALPHA = 0.75;

/** Start on the surface of the ball: uniform (L-inf) or Gaussian (L2, L1) noise of full norm. */
function initProgram(setting: AttackSetting<BallNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, norm = setting.norm } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const radius = b.times(epsilon, b.read('param/start'));
    const noise = b.read(`noise/${name}`, dims);
    const start = b.plus(b.read(`x0/${name}`, dims), noiseAtSize(b, norm, noise, radius, variable));
    b.write(`next/${name}`, project(b, norm, start, radius, variable), dims);
    keepBounds(b, norm, epsilon, variable);
  }
  keepBest(b, variables);
  return b.bytes('apgd-init');
}

/** Temperature [examples] at the step size with which the point was reached. */
function followingTemperature(b: ProgramBuilder, norm: BallNorm): string {
  const share = b.times(b.read('state/stepSize'), b.scalar(1 / FIRST_STEP[norm]));
  return b.times(b.read('param/temperature'), b.op('Max', [share, b.scalar(LAST_TEMPERATURE)]));
}

/** What a step program reads of evaluations of the point as it is. */
const unshifted = (setting: AttackSetting<BallNorm>): ShiftedEvaluation => ({
  b: new ProgramBuilder(),
  marginOf: (b) => goalMargin(b, setting),
  lossOf: (b) => b.read('loss'),
});

function stepProgram(
  setting: AttackSetting<BallNorm>,
  values: Values,
  { b, marginOf, lossOf }: ShiftedEvaluation,
): Uint8Array {
  const { variables } = setting;
  const { stepSize, bases } = advanceState(b, setting, lossOf(b));
  for (const base of bases) {
    const { name, dims, norm = setting.norm, stepScale = 1 } = base.variable;
    const length = b.times(b.times(stepSize, b.scalar(stepScale)), b.read(`param/${epsilonName(name)}`));
    const next = norm === 'l1' ? sparseDescent(b, base, length, values) : momentumStep(b, norm, base, length);
    b.write(`next/${name}`, next, dims);
  }
  updateBest(b, variables, marginOf(b));
  return b.bytes('apgd-step');
}

/** z = P(x - step); x' = P(x + alpha (z - x) + (1 - alpha)(x - last x)), alpha 1 in the first step (param/first is 1). Croce, Hein 2020, equations 4 and 5. */
function momentumStep(b: ProgramBuilder, norm: BallNorm, { variable, point, gradient }: Base, length: string): string {
  const { name, dims } = variable;
  const epsilon = b.read(`param/${epsilonName(name)}`);
  const tentative = b.minus(point, steepest(b, norm, gradient, variable, length));
  const stepped = projectAgain(b, norm, tentative, epsilon, variable);
  const momentum = b.times(b.scalar(1 - ALPHA), b.minus(b.scalar(1), b.read('param/first')));
  const share = b.spread(b.minus(b.scalar(1), momentum), dims);
  const last = b.read(`state/last/${name}`, dims);
  b.write(`next/state/last/${name}`, point, dims);
  const moved = b.plus(
    b.plus(point, b.times(b.minus(stepped, point), share)),
    b.times(b.minus(point, last), b.spread(momentum, dims)),
  );
  return projectAgain(b, norm, moved, epsilon, variable);
}

/** An equal step on the largest coordinates of the gradient, without momentum. Croce, Hein 2021, algorithm 1. */
function sparseDescent(
  b: ProgramBuilder,
  { variable, point, gradient, share }: Base,
  length: string,
  values: Values,
): string {
  const { name, dims, band } = variable;
  const size = b.scalar(elementCount(dims));
  const descent = b.negate(gradient);
  const count = b.minus(size, b.op('Floor', [b.times(b.minus(b.scalar(1), share), size)]));
  const chosen =
    values.sparse_among === 'movable'
      ? sparseStep(b, descent, point, length, count, variable)
      : equalOnLargest(b, descent, length, count, dims);
  const step = band === undefined ? chosen : scaledTo(b, 'l1', confined(b, chosen, variable), length, dims);
  return project(b, 'l1', b.plus(point, step), b.read(`param/${epsilonName(name)}`), variable);
}

/**
 * Auto-PGD: projected gradient descent that chooses its own step sizes, for each example: at checkpoints a step size that finds nothing lower is halved, and the
 * descent goes on from the lowest point; for L1 steps are sparse, and as sparse as the best point allows.
 * Sources: Croce, Hein 2020, "Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks", arXiv
 * 2003.01690, section 3, algorithm 1; for L1: Croce, Hein 2021, "Mind the box: l1-APGD for sparse adversarial attacks on image classifiers", arXiv
 * 2103.01208, section 3. Differences: L2 limits to the range before it limits the length, which uses the whole budget; L1 steps go no farther than the range does
 * (`sparse_among`), settle at the end (`settling`), the start is noise of full norm in place of its projection, a few spikes, and there is one budget from the start. Where the authors' implementation compares the
 * first window's first loss with 0, this compares it with that of the start, as the paper does.
 * Evidence: outcome/loss and outcome/stepSize of each step. Cost: a gradient a step and one forward evaluation.
 */
export const apgd = defineAttack({
  name: 'apgd',
  summary: 'Auto-PGD: chooses its step sizes itself, at checkpoints; several losses; sparse steps in L1.',
  source: 'Croce, Hein 2020, arXiv 2003.01690; L1: Croce, Hein 2021, arXiv 2103.01208',
  kind: 'fixed budget',
  knowledge: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  mixes: ['linf', 'l2'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan(setting, values) {
    const { steps, norm, logitScale } = setting;
    const marks = checkpoints(steps, norm === 'l1' ? 'even' : 'shrinking');
    const settled = settling(steps, norm === 'l1' ? values.settling : 0);
    const each = (first: number, count: number, examples: number, value: (step: number) => number) =>
      stepwise(
        Array.from({ length: Math.max(1, count) }, (_, index) => value(first + index)),
        examples,
      );
    const temperature = (b: ProgramBuilder) => followingTemperature(b, norm);
    const plan = deactivationPlan(
      setting,
      { init: initProgram(setting), step: stepProgram(setting, values, unshifted(setting)) },
      {
        steps,
        loss: values.loss,
        temperature,
        initParameters: (examples) => ({
          ...epsilonParameters(setting, examples),
          start: stepwise([values.random_start], examples.length),
        }),
        stepParameters: (examples, first, count) => ({
          ...epsilonParameters(setting, examples),
          temperature: stepwise([values.temperature * logitScale], examples.length),
          first: each(first, count, examples.length, (step) => (step === 0 ? 1 : 0)),
          check: each(first, count, examples.length, (step) => (marks.has(step) ? 1 : 0)),
          settling: each(first, count, examples.length, (step) => settled(step).stepSize),
          settlingShare: each(first, count, examples.length, (step) => settled(step).share),
          settlingBegins: each(first, count, examples.length, (step) => (settled(step).begins ? 1 : 0)),
          fewestDescents: each(first, count, examples.length, (step) => marks.get(step)?.fewestDescents ?? 0),
        }),
      },
    );
    if (values.shift_share === 0) return plan;
    return shiftTolerant(plan, setting, {
      ...values,
      temperature,
      step: (evaluation) => stepProgram(setting, values, evaluation),
    });
  },
});
