import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { halfCosine } from './fmn.ts';
import { goalMargin } from './goals.ts';
import { jointWeights, startJointWeights } from './joint-weights.ts';
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
    default: 2,
    whole: true,
  },
  beta: {
    type: 'number',
    description:
      "Weight of the L1 norm against the squared L2 norm, both in units of the width of a variable's range: high ones find sparser and, in L1, smaller points.",
    minimum: 1e-4,
    maximum: 1e6,
    default: 100,
  },
  step_size: {
    type: 'number',
    description:
      'First step of a round, as the size in units of the width of the range by which it shrinks a coordinate; it falls along a half cosine.',
    minimum: 1e-5,
    maximum: 1,
    default: 0.1,
  },
  last_step: {
    type: 'number',
    description: 'Last step of a round, as a share of the first.',
    minimum: 1e-6,
    maximum: 1,
    default: 0.01,
  },
  acceleration: {
    type: 'choice',
    description:
      'Whether steps carry momentum (fista) or not (ista): it overshoots where two inputs are weighed against each other.',
    values: ['ista', 'fista'],
    default: 'ista',
  },
} as const satisfies ParameterSpecs;

type Values = ValuesOf<typeof PARAMETERS>;

/** The first trade-off is this multiple of what moves the steepest coordinate at all. */
const FIRST_EXCESS = 3;

const SMALLEST = 1e-12;

/** How fast the prices of several variables follow their shares of the scale, at the first step of a round. */
const PRICE_RATE = 0.2;

/** The last point that shrinkage led to, before momentum. */
const shrunkSlot = (variable: string) => `state/shrunk/${variable}`;

/** What a coordinate's width costs in each variable, as a share of the dearest. */
function prices(variables: readonly ScaledVariable[]): Map<string, number> {
  const costs = variables.map(({ low, high, rho }) => (high - low) / rho);
  return new Map(variables.map(({ name }, index) => [name, (costs[index] ?? 0) / Math.max(...costs)]));
}

function initProgram(setting: MinimumNormSetting<'l1'>): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  const none = b.times(b.read('param/largestScale'), b.scalar(0));
  startTradeoff(b, none);
  startJointWeights(b, setting.variables, none);
  for (const { name, dims } of setting.variables) b.write(`next/${shrunkSlot(name)}`, b.read(`x0/${name}`, dims), dims);
  return b.bytes('ead-init');
}

function stepProgram(setting: MinimumNormSetting<'l1'>, { beta, acceleration }: Values): Uint8Array {
  const { norm, variables } = setting;
  const b = new ProgramBuilder();
  const { deltas, scale } = perturbation(b, norm, variables);
  const { reached } = updateSmallest(b, setting, { scale, margin: goalMargin(b, setting) });
  const zero = b.scalar(0);
  const safeScale = b.op('Max', [scale, b.scalar(SMALLEST)]);
  const shares = new Map(
    variables.map(({ name, dims, rho }) => [
      name,
      b.over(b.over(lengthOf(b, norm, deltas.get(name) ?? '', dims), b.scalar(rho)), safeScale),
    ]),
  );
  const fixed = prices(variables);
  const weights = jointWeights(b, variables, shares, b.read('param/priceRate'));
  // From here on in units of the width of each range.
  const slopes = new Map(
    variables.map((variable) => {
      const { name, dims, low, high } = variable;
      return [name, b.times(confined(b, b.read(`grad/${name}`, dims), variable), b.scalar(high - low))];
    }),
  );
  const steepness = variables.map(({ name, dims }) =>
    b.over(lengthOf(b, 'linf', slopes.get(name) ?? '', dims), b.scalar(fixed.get(name) ?? 1)),
  );
  const steepest = steepness.length === 1 ? (steepness[0] ?? '') : b.op('Max', steepness);
  const first = b.over(b.scalar(FIRST_EXCESS), b.op('Max', [steepest, b.scalar(SMALLEST)]));
  const { present, ends } = advanceTradeoff(b, first, reached);

  const active = b.op('Where', [reached, zero, present]);
  const stepSize = b.read('param/stepSize');
  for (const variable of variables) {
    const { name, dims, low, high } = variable;
    const width = b.scalar(high - low);
    const delta = b.over(deltas.get(name) ?? '', width);
    const gradient = b.plus(
      b.times(slopes.get(name) ?? '', b.spread(active, dims)),
      b.times(delta, b.scalar(2 / beta)),
    );
    const moved = b.minus(delta, b.times(gradient, b.spread(stepSize, dims)));
    const price = b.times(weights.get(name) ?? '', b.scalar(fixed.get(name) ?? 1));
    const threshold = b.spread(b.times(stepSize, price), dims);
    const kept = b.relu(b.minus(b.op('Abs', [moved]), threshold));
    const x0 = b.read(`x0/${name}`, dims);
    const sparse = confined(b, b.times(b.times(b.op('Sign', [moved]), kept), width), variable);
    const shrunk = clipToRange(b, b.plus(x0, sparse), variable);
    const next = acceleration === 'ista' ? shrunk : accelerated(b, shrunk, variable);
    b.write(`next/${name}`, b.op('Where', [b.spread(ends, dims), x0, next]), dims);
    b.write(`next/${shrunkSlot(name)}`, b.op('Where', [b.spread(ends, dims), x0, shrunk]), dims);
  }
  return b.bytes('ead-step');
}

/** y = x + k / (k + 3) (x - last x), inside the range and the region. */
function accelerated(b: ProgramBuilder, shrunk: string, variable: ScaledVariable): string {
  const { name, dims } = variable;
  const motion = b.minus(shrunk, b.read(shrunkSlot(name), dims));
  return clipToRange(b, b.plus(shrunk, b.times(motion, b.spread(b.read('param/momentum'), dims))), variable);
}

/**
 * EAD, the elastic-net attack: iterative shrinkage and thresholding on the L1 norm, a share of the squared L2 norm and c times the margin, with a search for c.
 * Source: Chen, Sharma, Zhang, Yi, Hsieh 2018, "EAD: Elastic-Net Attacks to Deep Neural Networks via Adversarial Examples", algorithm 1, with the decision rule of
 * the L1 norm. Differences: the threshold follows the step size (as in ISTA; the paper keeps it), the first c is what moves the steepest coordinate, and points are judged
 * where their gradient is taken. Several variables have prices that follow their shares of the joint scale.
 */
export const ead = defineMinimumNorm({
  name: 'ead',
  summary:
    'Shrinkage and thresholding on the elastic net and the margin, with a search for their trade-off: small in L1.',
  source: 'Chen et al. 2018, arXiv 1709.04114',
  knowledge: 'gradients',
  norms: ['l1'],
  parameters: PARAMETERS,
  plan(setting, values) {
    const programs = { init: initProgram(setting), step: stepProgram(setting, values) };
    return tradeoffPlan(setting, programs, values.rounds, (length) => ({
      stepSize: halfCosine(length, values.step_size, values.step_size * values.last_step),
      priceRate: halfCosine(length, PRICE_RATE, PRICE_RATE * values.last_step),
      momentum: Array.from({ length }, (_, step) => step / (step + 3)),
    }));
  },
});
