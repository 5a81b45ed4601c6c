import type { NormName } from './attack.ts';
import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { goalMargin } from './goals.ts';
import { keepHighest } from './l0-ball.ts';
import { projectOntoL1 } from './l1-ball.ts';
import { lossObjective } from './losses.ts';
import {
  defineMinimumNorm,
  type MinimumNormPlan,
  type MinimumNormSetting,
  type ScaledVariable,
} from './minimum-norm.ts';
import { largestScales, pathParameters, settingConstants } from './parameters.ts';
import { temperatures } from './pgd.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange, confined, euclideanLength, LENGTHS, scaledTo } from './projection.ts';
import { widthOf } from './range.ts';
import { sideways } from './sideways.ts';
import { NO_SCALE, perturbation, startSmallest, updateSmallest } from './smallest-point.ts';

const PARAMETERS = {
  step_size: {
    type: 'number',
    description:
      "Euclidean length of the first step in each variable, in units of the width of the variable's range (of a tap: of the spread of its clean values); it falls along a half cosine.",
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
    description: 'First share by which the radius shrinks after a success and grows after a failure.',
    minimum: 1e-4,
    maximum: 0.9,
    default: 0.05,
  },
  last_gamma: {
    type: 'number',
    description: 'Last such share.',
    minimum: 1e-6,
    maximum: 0.9,
    default: 0.001,
  },
  range: {
    type: 'choice',
    description:
      'What happens at the ends of the range: aware drops what a step would lose there before it is taken and projects in the range; clip only clips, as the paper does.',
    values: ['aware', 'clip'],
    default: 'aware',
  },
  ranking: {
    type: 'choice',
    description:
      'L0 only: which coordinates stay changed. size: those that changed most, as in the paper; gain: those that could gain most by the gradient, which is the optimum of a linear victim and worse on curved ones; both: one after the other, the last third of the steps by gain.',
    values: ['both', 'size', 'gain'],
    default: 'both',
  },
} as const satisfies ParameterSpecs;

type Values = ValuesOf<typeof PARAMETERS>;

/** Keeps quotients by gradients finite; as in the reference implementation. */
const SMALLEST_GRADIENT = 1e-12;

/** Far beyond any range, so that a projection does not notice the ends. */
const NO_END = 1e6;

/** The norm dual to each, in which a linear function changes most over the norm's ball. */
const DUAL = { linf: 'l1', l2: 'l2', l1: 'linf' } as const;

/** The largest rho: in L0 the radius moves by whole coordinates of its variable. */
const coarsest = (variables: readonly ScaledVariable[]) => Math.max(...variables.map(({ rho }) => rho));

function initProgram(setting: MinimumNormSetting): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  const none = b.times(b.read('param/largestScale'), b.scalar(0));
  const start = setting.norm === 'l0' ? 1 / coarsest(setting.variables) : NO_SCALE;
  b.write('next/state/radius', b.plus(none, b.scalar(start)));
  b.write('next/state/found', none);
  return b.bytes('fmn-init');
}

/** The next radius, as a scale [examples]. */
function nextRadius(
  b: ProgramBuilder,
  { norm, variables, reachedMargin }: MinimumNormSetting,
  at: {
    readonly reached: string;
    readonly found: string;
    readonly smallest: string;
    readonly scale: string;
    readonly margin: string;
    readonly gradients: ReadonlyMap<string, string>;
  },
): string {
  const radius = b.read('state/radius');
  const gamma = b.read('param/gamma');
  const [less, more] = [b.minus(b.scalar(1), gamma), b.plus(b.scalar(1), gamma)];
  if (norm === 'l0') {
    const unit = b.scalar(coarsest(variables));
    const count = b.op('Round', [b.times(radius, unit)]);
    const smallest = b.op('Round', [b.times(at.smallest, unit)]);
    const lower = b.op('Min', [b.minus(count, b.scalar(1)), b.op('Floor', [b.times(count, less)]), smallest]);
    const higher = b.op('Max', [b.plus(count, b.scalar(1)), b.op('Floor', [b.times(count, more)])]);
    return b.over(b.relu(b.op('Where', [at.reached, lower, higher])), unit);
  }
  const slopes = variables.map(({ name, dims, rho }) =>
    b.times(LENGTHS[DUAL[norm]](b, at.gradients.get(name) ?? '', dims), b.scalar(rho)),
  );
  const slope = b.op('Max', [
    slopes.length === 1 ? (slopes[0] ?? '') : b.op('Sum', slopes),
    b.scalar(SMALLEST_GRADIENT),
  ]);
  // Where the goal counts as reached, a little beyond 0: a point that lies exactly between the two would stay there.
  const short = b.op('Abs', [b.minus(at.margin, b.scalar(reachedMargin))]);
  const boundary = b.plus(at.scale, b.over(b.op('Max', [b.op('Abs', [b.read('loss')]), short]), slope));
  const farther = b.op('Where', [b.op('Greater', [at.found, b.scalar(0)]), b.times(radius, more), boundary]);
  return b.op('Where', [at.reached, b.op('Min', [b.times(radius, less), at.smallest]), farther]);
}

/** The perturbation [examples, ...dims] brought to the ball of `radius` [examples], in the unit of the variable. */
function projected(
  b: ProgramBuilder,
  norm: NormName,
  delta: string,
  radius: string,
  variable: ScaledVariable,
  { range }: Values,
): string {
  const { dims } = variable;
  const bandless = variable.band === undefined;
  switch (norm) {
    case 'linf': {
      if (!bandless) return scaledDown(b, 'linf', delta, radius, variable);
      const limit = b.spread(radius, dims);
      return b.op('Max', [b.op('Min', [delta, limit]), b.negate(limit)]);
    }
    case 'l2':
      // Onto the sphere, not into the ball: the radius is what is searched for.
      return scaledTo(b, 'l2', delta, radius, dims);
    case 'l1':
      if (!bandless) return scaledDown(b, 'l1', delta, radius, variable);
      return projectOntoL1(
        b,
        delta,
        radius,
        range === 'aware' ? variable : { ...variable, low: -NO_END, high: NO_END },
      );
    case 'l0':
      return keepHighest(b, delta, b.op('Abs', [delta]), radius, dims);
  }
}

/** Within a band a perturbation is scaled as a whole. */
function scaledDown(
  b: ProgramBuilder,
  norm: 'linf' | 'l1',
  delta: string,
  radius: string,
  { dims }: ScaledVariable,
): string {
  return scaledTo(b, norm, delta, b.op('Min', [radius, LENGTHS[norm](b, delta, dims)]), dims);
}

/** What each coordinate [examples, ...dims] could take off a linear margin by going from x0 to the end of its range. */
function possibleGain(b: ProgramBuilder, gradient: string, { name, dims, low, high }: ScaledVariable): string {
  const x0 = b.read(`x0/${name}`, dims);
  const down = b.op('Greater', [gradient, b.scalar(0)]);
  const room = b.op('Where', [down, b.minus(x0, b.scalar(low)), b.minus(b.scalar(high), x0)]);
  return b.times(b.op('Abs', [gradient]), room);
}

/** One step: judge the point, move the radius, step along the gradient, project, clip. */
function stepProgram(setting: MinimumNormSetting, values: Values): Uint8Array {
  const { norm, variables } = setting;
  const b = new ProgramBuilder();
  const { deltas, scale } = perturbation(b, norm, variables);
  const margin = goalMargin(b, setting);
  const { reached, bestScale } = updateSmallest(b, setting, { scale, margin });
  const largest = b.read('param/largestScale');
  const found = b.op('Where', [reached, b.scalar(1), b.read('state/found')]);
  const gradients = new Map(
    variables.map((variable) => [variable.name, confined(b, b.read(`grad/${variable.name}`, variable.dims), variable)]),
  );
  const smallest = b.op('Min', [bestScale, largest]);
  const radius = b.op('Min', [nextRadius(b, setting, { reached, found, smallest, scale, margin, gradients }), largest]);
  b.write('next/state/found', found);
  b.write('next/state/radius', radius);
  // A radius of no coordinates is looked at with one, as in the reference implementation.
  const reach = norm === 'l0' ? b.op('Max', [radius, b.scalar(1 / coarsest(variables))]) : radius;

  for (const variable of variables) {
    const { name, dims, rho } = variable;
    const full = gradients.get(name) ?? '';
    const ball = b.times(reach, b.scalar(rho));
    const free = values.range === 'aware' ? sideways(b, full, variable) : full;
    const gain = norm === 'l0' && values.ranking !== 'size' ? possibleGain(b, full, variable) : undefined;
    const byGain = () => b.spread(b.op('Greater', [b.read('param/byGain'), b.scalar(0)]), dims);
    // The paper's step goes along all coordinates, and the few that may stay keep what they got of it.
    const gradient =
      gain === undefined ? free : b.op('Where', [byGain(), keepHighest(b, free, gain, ball, dims), free]);
    const length = b.op('Max', [euclideanLength(b, gradient, dims), b.scalar(SMALLEST_GRADIENT)]);
    const stepSize = b.times(b.read('param/stepSize'), b.scalar(widthOf(variable)));
    const moved = b.minus(deltas.get(name) ?? '', b.times(gradient, b.spread(b.over(stepSize, length), dims)));
    const delta =
      gain === undefined
        ? projected(b, norm, moved, ball, variable, values)
        : keepHighest(b, moved, b.op('Where', [byGain(), gain, b.op('Abs', [moved])]), ball, dims);
    b.write(`next/${name}`, clipToRange(b, b.plus(b.read(`x0/${name}`, dims), delta), variable), dims);
  }
  return b.bytes('fmn-step');
}

/** Share of the steps by gain, where both rankings are used. */
const GAIN_SHARE = 1 / 3;

/** Steps that rank by size, and those after them that rank by gain. */
function rankingPhases(ranking: Values['ranking'], steps: number): readonly [size: number, gain: number] {
  const byGain = { size: 0, gain: steps, both: Math.floor(steps * GAIN_SHARE) }[ranking];
  return [steps - byGain, byGain];
}

/** From `first` at step 0 towards `last` along a half cosine, which the step after the last would reach. */
export function halfCosine(steps: number, first: number, last: number): number[] {
  return Array.from(
    { length: steps },
    (_, step) => last + ((first - last) * (1 + Math.cos((Math.PI * step) / steps))) / 2,
  );
}

/**
 * Fast minimum-norm attack: normalised gradient steps on the margin, projected onto a ball whose radius shrinks after each success and grows after
 * each failure; before the first success it is the distance at which a linear margin would be 0.
 * Source: Pintor, Roli, Brendel, Biggio 2021, "Fast Minimum-norm Adversarial Attacks through Adaptive Norm Constraints", algorithm 1. Several variables
 * share the radius as a scale, each with its own ball and its own step.
 */
export const fmn = defineMinimumNorm({
  name: 'fmn',
  summary: 'Gradient steps in a ball whose radius closes in on the boundary: the smallest perturbation in any norm.',
  source: 'Pintor et al. 2021, arXiv 2102.12827',
  knowledge: 'gradients',
  norms: ['linf', 'l2', 'l1', 'l0'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan(setting, values): MinimumNormPlan {
    const { steps, logitScale, norm } = setting;
    const phases = rankingPhases(norm === 'l0' ? values.ranking : 'size', steps);
    const phased = (path: (count: number) => number[]) => phases.flatMap((count) => (count === 0 ? [] : path(count)));
    const paths = {
      stepSize: phased((count) => halfCosine(count, values.step_size, values.step_size * values.last_step)),
      gamma: phased((count) => halfCosine(count, values.gamma, values.last_gamma)),
      temperature: phased((count) => temperatures(count, logitScale)),
      byGain: phases.flatMap((count, phase) => Array<number>(count).fill(phase)),
    };
    return {
      programs: {
        objective: lossObjective('margin', setting),
        init: initProgram(setting),
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
