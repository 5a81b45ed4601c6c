import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { halfCosine } from './fmn.ts';
import { goalMargin } from './goals.ts';
import { lossObjective } from './losses.ts';
import { defineMinimumNorm, type MinimumNormSetting } from './minimum-norm.ts';
import { largestScales, pathParameters, settingConstants } from './parameters.ts';
import { temperatures } from './pgd.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange, confined, euclideanLength, scaledTo } from './projection.ts';
import { widthOf } from './range.ts';
import { sideways } from './sideways.ts';
import { perturbation, startSmallest, updateSmallest } from './smallest-point.ts';

const PARAMETERS = {
  first_scale: {
    type: 'number',
    description: 'First radius, as a scale: at 1 each variable begins at its rho.',
    minimum: 1e-6,
    maximum: 1e6,
    default: 1,
  },
  step_size: {
    type: 'number',
    description:
      "Length of the first step in each variable, in units of the width of the variable's range (of a tap: of the spread of its clean values); it falls along a half cosine.",
    minimum: 1e-4,
    maximum: 100,
    default: 1,
  },
  last_step: {
    type: 'number',
    description: 'Last step, as a share of the first.',
    minimum: 1e-6,
    maximum: 1,
    default: 0.01,
  },
  gamma: {
    type: 'number',
    description: 'Share by which the radius shrinks after a success and grows after a failure, at the first step.',
    minimum: 1e-4,
    maximum: 0.9,
    default: 0.05,
  },
  last_gamma: {
    type: 'number',
    description: 'That share at the last step; the paper keeps it at 0.05, which leaves 5 % of the radius undecided.',
    minimum: 1e-6,
    maximum: 0.9,
    default: 0.001,
  },
  range: {
    type: 'choice',
    description:
      'What happens at the ends of the range: aware drops what a step would lose there before it is taken; clip only clips, as the paper does.',
    values: ['aware', 'clip'],
    default: 'aware',
  },
} as const satisfies ParameterSpecs;

/** Keeps quotients by gradients finite. */
const SMALLEST_GRADIENT = 1e-12;

function initProgram(setting: MinimumNormSetting<'l2'>, firstScale: number): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  b.write('next/state/radius', b.op('Min', [b.read('param/largestScale'), b.scalar(firstScale)]));
  return b.bytes('ddn-init');
}

function stepProgram(setting: MinimumNormSetting<'l2'>, { range }: ValuesOf<typeof PARAMETERS>): Uint8Array {
  const { norm, variables } = setting;
  const b = new ProgramBuilder();
  const { deltas, scale } = perturbation(b, norm, variables);
  const { reached } = updateSmallest(b, setting, { scale, margin: goalMargin(b, setting) });
  const gamma = b.read('param/gamma');
  const factor = b.plus(b.scalar(1), b.op('Where', [reached, b.negate(gamma), gamma]));
  const radius = b.op('Min', [b.times(b.read('state/radius'), factor), b.read('param/largestScale')]);
  b.write('next/state/radius', radius);
  for (const variable of variables) {
    const { name, dims, rho } = variable;
    const full = confined(b, b.read(`grad/${name}`, dims), variable);
    const gradient = range === 'aware' ? sideways(b, full, variable) : full;
    const length = b.op('Max', [euclideanLength(b, gradient, dims), b.scalar(SMALLEST_GRADIENT)]);
    const stepSize = b.times(b.read('param/stepSize'), b.scalar(widthOf(variable)));
    const moved = b.minus(deltas.get(name) ?? '', b.times(gradient, b.spread(b.over(stepSize, length), dims)));
    const delta = scaledTo(b, norm, moved, b.times(radius, b.scalar(rho)), dims);
    b.write(`next/${name}`, clipToRange(b, b.plus(b.read(`x0/${name}`, dims), delta), variable), dims);
  }
  return b.bytes('ddn-step');
}

/**
 * Decoupled direction and norm: normalised gradient steps, each brought to a sphere whose radius shrinks after a success and grows after a failure.
 * Source: Rony, Hafemann, Oliveira, Ben Ayed, Sabourin, Granger 2019, "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial Attacks
 * and Defenses", algorithm 1; here the radius's changes fall too. Several variables share the radius as a scale.
 */
export const ddn = defineMinimumNorm({
  name: 'ddn',
  summary: 'Gradient steps on a sphere whose radius follows success and failure: the smallest perturbation in L2.',
  source: 'Rony et al. 2019, arXiv 1811.09600',
  knowledge: 'gradients',
  norms: ['l2'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan(setting, values) {
    const { steps, logitScale } = setting;
    const paths = {
      stepSize: halfCosine(steps, values.step_size, values.step_size * values.last_step),
      gamma: halfCosine(steps, values.gamma, values.last_gamma),
      temperature: temperatures(steps, logitScale),
    };
    return {
      programs: {
        objective: lossObjective('margin', setting),
        init: initProgram(setting, values.first_scale),
        step: stepProgram(setting, values),
      },
      noise: 'normal',
      constants: settingConstants(setting),
      steps,
      initParameters: largestScales,
      stepParameters: (examples, first, count) => ({
        ...largestScales(examples),
        ...pathParameters(paths, examples.length, first, count),
      }),
    };
  },
});
