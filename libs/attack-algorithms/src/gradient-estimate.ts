import { elementCount } from '@faultline/contracts';
import { int } from '@faultline/onnx';
import type { NoiseDistribution } from '@faultline/victim';
import type { AttackPlan, AttackSetting } from './attack.ts';
import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { epsilonName, epsilonParameters, settingConstants, stepwise, variableNoise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange, confined, keepBounds, project, projectAgain, steepest } from './projection.ts';
import { affordedSteps, queriesParameter } from './query-budget.ts';
import { sampledMargin } from './sampled-margin.ts';

type EstimateNorm = 'linf' | 'l2';

/** With 25 pairs an example takes 51 evaluations a step: five of them fit a victim's largest batch. */
const MAX_PAIRS = 25;

/** What attacks by estimated gradients can be told. */
export const ESTIMATE_PARAMETERS = {
  queries: queriesParameter(5_000),
  pairs: {
    type: 'number',
    description: 'Pairs of probes a step, one on either side of the point; the point itself is one query more.',
    minimum: 1,
    maximum: MAX_PAIRS,
    default: 10,
    whole: true,
  },
  probe: {
    type: 'number',
    description: "Root mean square of a probe's distance from the point in each coordinate, as a share of the range.",
    minimum: 1e-5,
    maximum: 0.5,
    default: 0.005,
  },
  momentum: {
    type: 'number',
    description: 'Share of the estimate that the next step keeps.',
    minimum: 0,
    maximum: 0.999,
    default: 0.9,
  },
  path: {
    type: 'number',
    description: 'Sum of all steps of a start, in units of epsilon.',
    minimum: 0.1,
    maximum: 1_000,
    default: 5,
  },
} as const satisfies ParameterSpecs;

/** Last step of the cosine schedule, as a share of the first. */
const LAST_STEP = 0.02;

/** Step sizes in units of epsilon: a half cosine with this sum. */
function stepSizes(steps: number, path: number): number[] {
  const shares = Array.from({ length: steps }, (_, step) => {
    const decay = (1 + Math.cos((Math.PI * step) / Math.max(1, steps - 1))) / 2;
    return LAST_STEP + (1 - LAST_STEP) * decay;
  });
  const sum = shares.reduce((total, share) => total + share, 0);
  return shares.map((share) => Math.min(1, (path * share) / sum));
}

/** The clean point is where every start begins: the noise of the probes is random enough. */
function initProgram({ variables, norm }: AttackSetting<EstimateNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    b.write(`next/${name}`, project(b, norm, b.read(`x0/${name}`, dims), epsilon, variable), dims);
    b.write(`next/state/momentum/${name}`, b.times(b.read(`state/momentum/${name}`, dims), b.scalar(0)), dims);
    keepBounds(b, norm, epsilon, variable);
  }
  keepBest(b, variables);
  return b.bytes('estimate-init');
}

/** The probes' directions, [examples, 2 pairs + 1, ...dims]: none for the point itself, then one side of each pair, then the other. */
function directions(b: ProgramBuilder, { name, dims }: AttackSetting['variables'][number], pairs: number): string {
  const drawn = b.read(`noise/${name}`, [2 * pairs + 1, ...dims]);
  const side = b.slice(drawn, [0], [pairs], [1]);
  const none = b.times(b.slice(drawn, [0], [1], [1]), b.scalar(0));
  return b.op('Concat', [none, side, b.negate(side)], { axis: int(1) });
}

/** What the victim sees: the point, and its probes, inside the range. */
function transformProgram({ variables }: AttackSetting, pairs: number, probe: number): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, low, high } = variable;
    const samples = [2 * pairs + 1, ...dims];
    const away = b.times(directions(b, variable, pairs), b.scalar(probe * (high - low)));
    b.write(`seen/${name}`, clipToRange(b, b.plus(b.read(`x/${name}`, samples), away), variable), samples);
  }
  return b.bytes('estimate-transform');
}

/** A step down the estimated gradient: the sum over probes of their margin times their direction. */
function stepProgram({ variables, norm }: AttackSetting<EstimateNorm>, pairs: number): Uint8Array {
  const b = new ProgramBuilder();
  const samples = 2 * pairs + 1;
  const margins = b.read('loss', [samples]);
  const own = b.slice(margins, [0], [1], [1]);
  updateBest(b, variables, b.reshape(own, [-1]));
  const gains = b.reshape(b.minus(margins, own), [-1, 1, samples]);
  for (const variable of variables) {
    const { name, dims } = variable;
    const size = elementCount(dims);
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const flat = b.reshape(directions(b, variable, pairs), [-1, samples, size]);
    const estimate = confined(b, b.reshape(b.matmul(gains, flat), [-1, ...dims]), variable);
    const kept = b.times(b.read(`state/momentum/${name}`, dims), b.spread(b.read('param/momentum'), dims));
    const momentum = b.plus(kept, estimate);
    b.write(`next/state/momentum/${name}`, momentum, dims);
    const length = b.times(b.read('param/stepSize'), epsilon);
    const step = b.negate(steepest(b, norm, momentum, variable, length));
    const tentative = b.plus(b.read(`x/${name}`, dims), step);
    b.write(`next/${name}`, projectAgain(b, norm, tentative, epsilon, variable), dims);
  }
  return b.bytes('estimate-step');
}

/** The plan of descent by estimated gradients, whose probes are drawn from this distribution. */
export function estimatePlan(
  setting: AttackSetting<EstimateNorm>,
  values: ValuesOf<typeof ESTIMATE_PARAMETERS>,
  noise: NoiseDistribution,
): AttackPlan {
  const samples = 2 * values.pairs + 1;
  const steps = affordedSteps(values.queries, samples);
  const sizes = stepSizes(steps, values.path);
  return {
    programs: {
      transform: transformProgram(setting, values.pairs, values.probe),
      objective: sampledMargin(setting, samples),
      step: stepProgram(setting, values.pairs),
      init: initProgram(setting),
    },
    constants: settingConstants(setting),
    mode: 'evaluate',
    samples: { count: samples, gradient: 'mean' },
    noise: variableNoise(setting, () => noise),
    steps,
    initParameters: (examples) => epsilonParameters(setting, examples),
    stepParameters: (examples, first, count) => ({
      ...epsilonParameters(setting, examples),
      stepSize: stepwise(count === 0 ? [0] : sizes.slice(first, first + count), examples.length),
      momentum: stepwise([values.momentum], examples.length),
    }),
  };
}
