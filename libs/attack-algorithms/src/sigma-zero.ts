import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { goalMargin } from './goals.ts';
import { lossObjective } from './losses.ts';
import { defineMinimumNorm, type MinimumNormSetting } from './minimum-norm.ts';
import { largestScales, pathParameters, settingConstants } from './parameters.ts';
import { temperatures } from './pgd.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange, confined, lengthOf } from './projection.ts';
import { perturbation, startSmallest, updateSmallest } from './smallest-point.ts';

const PARAMETERS = {
  step_size: {
    type: 'number',
    description: "First step of Adam, in units of the width of a variable's range; it falls to a tenth.",
    minimum: 1e-4,
    maximum: 10,
    default: 1,
  },
  sigma: {
    type: 'number',
    description: 'Width of the smooth count of changed coordinates, in squared units of the width of the range.',
    minimum: 1e-8,
    maximum: 1,
    default: 0.001,
  },
  threshold: {
    type: 'number',
    description: 'First size below which changes are undone, in units of the width of the range.',
    minimum: 0,
    maximum: 1,
    default: 0.3,
  },
  threshold_rate: {
    type: 'number',
    description: 'Share of the step by which that size grows after a success and falls after a failure.',
    minimum: 0,
    maximum: 1,
    default: 0.01,
  },
} as const satisfies ParameterSpecs;

type Values = ValuesOf<typeof PARAMETERS>;

/** Of Adam (Kingma, Ba 2015), as in the reference implementation. */
const FIRST_MOMENT = 0.9;
const SECOND_MOMENT = 0.999;
const ADAM_EPSILON = 1e-8;

const SMALLEST_GRADIENT = 1e-12;

/** The last step, as a share of the first. */
const LAST_SHARE = 0.1;

const firstSlot = (variable: string) => `state/first/${variable}`;
const secondSlot = (variable: string) => `state/second/${variable}`;

function initProgram(setting: MinimumNormSetting<'l0'>, threshold: number): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  const none = b.times(b.read('param/largestScale'), b.scalar(0));
  b.write('next/state/threshold', b.plus(none, b.scalar(threshold)));
  for (const { name, dims } of setting.variables) {
    const zeros = b.times(b.read(`x0/${name}`, dims), b.scalar(0));
    b.write(`next/${firstSlot(name)}`, zeros, dims);
    b.write(`next/${secondSlot(name)}`, zeros, dims);
  }
  return b.bytes('sigma-zero-init');
}

function stepProgram(setting: MinimumNormSetting<'l0'>, { sigma, threshold_rate }: Values): Uint8Array {
  const { norm, variables } = setting;
  const b = new ProgramBuilder();
  const { deltas, scale } = perturbation(b, norm, variables);
  const margin = goalMargin(b, setting);
  const { reached } = updateSmallest(b, setting, { scale, margin });
  const one = b.scalar(1);
  const change = b.times(b.read('param/nextStepSize'), b.scalar(threshold_rate));
  const moved = b.plus(b.read('state/threshold'), b.op('Where', [reached, change, b.negate(change)]));
  const threshold = b.op('Clip', [moved, b.scalar(0), one]);
  b.write('next/state/threshold', threshold);
  for (const variable of variables) {
    const { name, dims, low, high } = variable;
    const size = dims.reduce((product, axis) => product * axis, 1);
    const width = b.scalar(high - low);
    // In units of the width of the range from here on.
    const delta = b.over(deltas.get(name) ?? '', width);
    const slope = b.times(confined(b, b.read(`grad/${name}`, dims), variable), width);
    const wanted = b.op('Where', [b.spread(reached, dims), b.scalar(0), slope]);
    const spreadSigma = b.plus(b.times(delta, delta), b.scalar(sigma));
    const count = b.over(b.times(delta, b.scalar((2 * sigma) / size)), b.times(spreadSigma, spreadSigma));
    const full = b.plus(wanted, count);
    const largest = b.op('Max', [lengthOf(b, 'linf', full, dims), b.scalar(SMALLEST_GRADIENT)]);
    const gradient = b.over(full, b.spread(largest, dims));
    const decayed = (slot: string, share: number, value: string) =>
      b.plus(b.times(b.read(slot, dims), b.scalar(share)), b.times(value, b.scalar(1 - share)));
    const first = decayed(firstSlot(name), FIRST_MOMENT, gradient);
    const second = decayed(secondSlot(name), SECOND_MOMENT, b.times(gradient, gradient));
    b.write(`next/${firstSlot(name)}`, first, dims);
    b.write(`next/${secondSlot(name)}`, second, dims);
    const root = b.op('Sqrt', [b.over(second, b.spread(b.read('param/secondBias'), dims))]);
    const step = b.over(first, b.plus(root, b.scalar(ADAM_EPSILON)));
    const ahead = b.minus(delta, b.times(step, b.spread(b.read('param/adamStep'), dims)));
    const x0 = b.read(`x0/${name}`, dims);
    const inside = b.minus(clipToRange(b, b.plus(x0, b.times(ahead, width)), variable), x0);
    const large = b.op('GreaterOrEqual', [b.op('Abs', [b.over(inside, width)]), b.spread(threshold, dims)]);
    b.write(`next/${name}`, clipToRange(b, b.plus(x0, b.op('Where', [large, inside, b.scalar(0)])), variable), dims);
  }
  return b.bytes('sigma-zero-step');
}

/**
 * sigma-zero: Adam on the margin plus a smooth count of the changed coordinates; changes below an adaptive size are undone.
 * Source: Cinà, Villani, Pintor, Schönherr, Biggio, Pelillo 2024, "σ-zero: Gradient-based Optimization of l0-norm Adversarial Examples", algorithm 1.
 * For one variable: it has no means to balance the counts of several; FMN searches in their joint scale.
 */
export const sigmaZero = defineMinimumNorm({
  name: 'sigma_zero',
  summary: 'Adam on the margin and a smooth count of changed coordinates: the fewest changes of one input.',
  source: 'Cina et al. 2024, arXiv 2402.01879',
  knowledge: 'gradients',
  norms: ['l0'],
  mostVariables: 1,
  parameters: PARAMETERS,
  plan(setting, values) {
    const { steps, logitScale } = setting;
    const falling = Array.from(
      { length: steps },
      (_, step) => values.step_size * (LAST_SHARE + ((1 - LAST_SHARE) * (1 + Math.cos((Math.PI * step) / steps))) / 2),
    );
    // The first two steps are as long as each other: the schedule moves after the step.
    const sizes = [values.step_size, ...falling.slice(0, -1)];
    const paths = {
      adamStep: sizes.map((size, step) => size / (1 - FIRST_MOMENT ** (step + 1))),
      secondBias: sizes.map((_, step) => 1 - SECOND_MOMENT ** (step + 1)),
      nextStepSize: falling,
      temperature: temperatures(steps, logitScale),
    };
    return {
      programs: {
        objective: lossObjective('margin', setting),
        init: initProgram(setting, values.threshold),
        step: stepProgram(setting, values),
      },
      noise: 'normal',
      constants: settingConstants(setting),
      steps,
      initParameters: largestScales,
      stepParameters: (examples, first, count) => pathParameters(paths, examples.length, first, count),
    };
  },
});
