import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { halfCosine } from './fmn.ts';
import { goalMargin } from './goals.ts';
import { defineMinimumNorm, type MinimumNormSetting, type ScaledVariable } from './minimum-norm.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange, confined, lengthOf } from './projection.ts';
import { perturbation, startSmallest, updateSmallest } from './smallest-point.ts';
import { advanceTradeoff, startTradeoff, tradeoffPlan } from './tradeoff.ts';

const PARAMETERS = {
  rounds: {
    type: 'number',
    description: 'Values of the trade-off that are tried one after another, each on its share of the steps.',
    minimum: 1,
    maximum: 20,
    default: 5,
    whole: true,
  },
  step_size: {
    type: 'number',
    description: 'First step of Adam in a round, in tanh space; it falls to a twentieth along a half cosine.',
    minimum: 1e-5,
    maximum: 1,
    default: 0.02,
  },
  slack: {
    type: 'number',
    description:
      'How far tanh space reaches beyond each end of the range, in units of its width, so that what stands at an end can move; 0: to the end, as in the paper.',
    minimum: 1e-6,
    maximum: 1,
    default: 0.05,
  },
} as const satisfies ParameterSpecs;

/** Of Adam (Kingma, Ba 2015). */
const FIRST_MOMENT = 0.9;
const SECOND_MOMENT = 0.999;
const ADAM_EPSILON = 1e-8;

const LAST_SHARE = 0.05;
const SMALLEST = 1e-12;

/** The largest scale of several variables is smoothed to the norm of this order of all of them. */
const JOINT_ORDER = 16;

/** The first trade-off is this multiple of what a linear margin would need: enough, so that the search comes from above. */
const FIRST_EXCESS = 1.5;

const slot = (name: string, variable: string) => `state/${name}/${variable}`;

/** Half the width of tanh space around the middle of the range, and how far a point of the range may be from the middle in it. */
function tanhSpace({ low, high }: ScaledVariable, slack: number) {
  const half = ((high - low) / 2) * (1 + 2 * slack);
  return { middle: (low + high) / 2, half, farthest: Math.atanh((high - low) / 2 / half) };
}

function initProgram(setting: MinimumNormSetting<'l2'>): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  const none = b.times(b.read('param/largestScale'), b.scalar(0));
  startTradeoff(b, none);
  for (const { name, dims } of setting.variables) {
    const zeros = b.times(b.read(`x0/${name}`, dims), b.scalar(0));
    b.write(`next/${slot('first', name)}`, zeros, dims);
    b.write(`next/${slot('second', name)}`, zeros, dims);
  }
  return b.bytes('carlini-wagner-init');
}

function stepProgram(setting: MinimumNormSetting<'l2'>, { slack }: ValuesOf<typeof PARAMETERS>): Uint8Array {
  const { norm, variables, reachedMargin } = setting;
  const b = new ProgramBuilder();
  const { deltas, scale } = perturbation(b, norm, variables);
  const margin = goalMargin(b, setting);
  const { reached } = updateSmallest(b, setting, { scale, margin });
  const zero = b.scalar(0);
  const excess = b.minus(margin, b.scalar(reachedMargin));
  const gradients = new Map(
    variables.map((variable) => [variable.name, confined(b, b.read(`grad/${variable.name}`, variable.dims), variable)]),
  );
  const total = (values: readonly string[]) => (values.length === 1 ? (values[0] ?? '') : b.op('Sum', values));

  // The trade-off c: first from the slope, then by bisection from round to round.
  const slope = total(
    variables.map(({ name, dims, rho }) => b.times(lengthOf(b, 'l2', gradients.get(name) ?? '', dims), b.scalar(rho))),
  );
  const linear = b.over(b.relu(excess), b.op('Max', [b.times(slope, slope), b.scalar(SMALLEST)]));
  const { present, ends } = advanceTradeoff(b, b.times(linear, b.scalar(2 * FIRST_EXCESS)), reached);

  const safeScale = b.op('Max', [scale, b.scalar(SMALLEST)]);
  const shares = variables.map(({ name, dims, rho }) =>
    b.over(b.over(lengthOf(b, 'l2', deltas.get(name) ?? '', dims), b.scalar(rho)), safeScale),
  );
  // Gradient of the squared joint scale: of (sum a_v^p)^(2/p), in units of the largest a_v.
  const joint = total(shares.map((share) => b.op('Pow', [share, b.scalar(JOINT_ORDER)])));
  const outer = b.op('Pow', [b.op('Max', [joint, b.scalar(SMALLEST)]), b.scalar(2 / JOINT_ORDER - 1)]);
  const active = b.op('Where', [reached, zero, present]);
  for (const [index, variable] of variables.entries()) {
    const { name, dims, rho } = variable;
    const { middle: centre, half, farthest } = tanhSpace(variable, slack);
    const weight = b.op('Pow', [shares[index] ?? '', b.scalar(JOINT_ORDER - 2)]);
    const pull = b.times(b.times(outer, weight), b.scalar(2 / rho ** 2));
    const single = variables.length === 1 ? b.plus(b.times(scale, zero), b.scalar(2 / rho ** 2)) : pull;
    const gradient = b.plus(
      b.times(deltas.get(name) ?? '', b.spread(single, dims)),
      b.times(gradients.get(name) ?? '', b.spread(active, dims)),
    );
    const x0 = b.read(`x0/${name}`, dims);
    const height = b.over(b.minus(b.read(`x/${name}`, dims), b.scalar(centre)), b.scalar(half));
    const inTanhSpace = b.times(gradient, b.times(b.minus(b.scalar(1), b.times(height, height)), b.scalar(half)));
    const own = confined(b, inTanhSpace, variable);
    const decayed = (state: string, share: number, value: string) =>
      b.plus(b.times(b.read(state, dims), b.scalar(share)), b.times(value, b.scalar(1 - share)));
    const first = decayed(slot('first', name), FIRST_MOMENT, own);
    const second = decayed(slot('second', name), SECOND_MOMENT, b.times(own, own));
    const root = b.op('Sqrt', [b.over(second, b.spread(b.read('param/secondBias'), dims))]);
    const step = b.times(b.over(first, b.plus(root, b.scalar(ADAM_EPSILON))), b.spread(b.read('param/adamStep'), dims));
    const ahead = b.minus(b.op('Atanh', [height]), confined(b, step, variable));
    const limited = b.op('Clip', [ahead, b.scalar(-farthest), b.scalar(farthest)]);
    const point = clipToRange(b, b.plus(b.times(b.op('Tanh', [limited]), b.scalar(half)), b.scalar(centre)), variable);
    // What does not move keeps its bits, whatever tanh space would round them to.
    const still = b.op('Equal', [step, zero]);
    const next = b.op('Where', [still, b.read(`x/${name}`, dims), point]);
    const each = b.spread(ends, dims);
    b.write(`next/${name}`, b.op('Where', [each, x0, withinRegion(b, next, x0, variable)]), dims);
    b.write(`next/${slot('first', name)}`, b.op('Where', [each, zero, first]), dims);
    b.write(`next/${slot('second', name)}`, b.op('Where', [each, zero, second]), dims);
  }
  return b.bytes('carlini-wagner-step');
}

/** The map to tanh space is not linear: what it brings out of a band is brought back. */
function withinRegion(b: ProgramBuilder, point: string, x0: string, variable: ScaledVariable): string {
  if (variable.band === undefined) return point;
  return clipToRange(b, b.plus(x0, confined(b, b.minus(point, x0), variable)), variable);
}

/**
 * Carlini and Wagner's attack: Adam in tanh space on the squared size plus c times the margin, with a bisection for c. The first c is what a
 * linear margin would need.
 * Source: Carlini, Wagner 2017, "Towards Evaluating the Robustness of Neural Networks", sections V and VI-A. Several variables are measured by a smooth
 * maximum of their scales.
 */
export const carliniWagner = defineMinimumNorm({
  name: 'carlini_wagner',
  summary: 'Adam in tanh space on the size and the margin, with a search for their trade-off: slow and thorough in L2.',
  source: 'Carlini, Wagner 2017, arXiv 1608.04644',
  knowledge: 'gradients',
  norms: ['l2'],
  parameters: PARAMETERS,
  plan(setting, values) {
    const programs = { init: initProgram(setting), step: stepProgram(setting, values) };
    return tradeoffPlan(setting, programs, values.rounds, (length) => {
      const sizes = halfCosine(length, values.step_size, values.step_size * LAST_SHARE);
      return {
        adamStep: sizes.map((size, step) => size / (1 - FIRST_MOMENT ** (step + 1))),
        secondBias: sizes.map((_, step) => 1 - SECOND_MOMENT ** (step + 1)),
      };
    });
  },
});
