import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { moveToBoundary } from './boundary-step.ts';
import { DEACTIVATE_ALL, type Goal, goalMargin } from './goals.ts';
import { lossObjective } from './losses.ts';
import { defineMinimumNorm, type MinimumNormSetting } from './minimum-norm.ts';
import { largestScales, pathParameters, settingConstants } from './parameters.ts';
import { temperatures } from './pgd.ts';
import { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, clipToRange, confined } from './projection.ts';
import { perturbation, startSmallest, updateSmallest } from './smallest-point.ts';

const PARAMETERS = {
  alpha_max: {
    type: 'number',
    description: 'Largest share of the projection of the clean point in a step.',
    minimum: 0,
    maximum: 1,
    default: 0.1,
  },
  eta: {
    type: 'number',
    description: 'Length of a step, as a multiple of the way to the estimated boundary.',
    minimum: 1,
    maximum: 2,
    default: 1.05,
  },
  beta: {
    type: 'number',
    description: 'What is left of a perturbation that reached the goal when the next step begins.',
    minimum: 0.1,
    maximum: 1,
    default: 0.9,
  },
  memory: {
    type: 'number',
    description:
      'Share that the tangents of earlier steps have of the one that is used: where labels are level it is their mixture that leads on. None for goals that any of several labels reaches.',
    minimum: 0,
    maximum: 0.99,
    default: 0.9,
  },
} as const satisfies ParameterSpecs;

const SMALLEST = 1e-12;

/**
 * Whether the margin is the largest of heights that are linear where the logits are: then earlier tangents bound it, too. That of
 * goals that any of several labels reaches is not; of k > 1 false labels it is while the k highest stay the same. */
function isConvex(goal: Goal): boolean {
  if (goal.kind === 'deactivate one' || goal.kind === 'fabricate one') return goal.label !== undefined;
  return goal.kind !== 'top k' || goal.k > 1;
}

/** Mean of the gradients so far, the later ones weighing more. */
const slopeSlot = (variable: string) => `state/slope/${variable}`;

function initProgram(setting: MinimumNormSetting<BallNorm>): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  for (const { name, dims } of setting.variables) {
    b.write(`next/${slopeSlot(name)}`, b.times(b.read(`x0/${name}`, dims), b.scalar(0)), dims);
  }
  return b.bytes('fab-init');
}

function stepProgram(
  setting: MinimumNormSetting<BallNorm>,
  { alpha_max, eta, beta }: ValuesOf<typeof PARAMETERS>,
): Uint8Array {
  const { norm, variables, reachedMargin } = setting;
  const b = new ProgramBuilder();
  const { deltas, scale } = perturbation(b, norm, variables);
  const { reached } = updateSmallest(b, setting, { scale, margin: goalMargin(b, setting) });
  const one = b.scalar(1);
  const left = b.op('Where', [reached, b.scalar(beta), one]);
  const at = variables.map((variable) => {
    const { name, dims } = variable;
    const present = confined(b, b.read(`grad/${name}`, dims), variable);
    const memory = b.spread(b.read('param/memory'), dims);
    const slope = b.plus(present, b.times(memory, b.minus(b.read(slopeSlot(name), dims), present)));
    b.write(`next/${slopeSlot(name)}`, slope, dims);
    const delta = deltas.get(name) ?? '';
    const x0 = b.read(`x0/${name}`, dims);
    const size = dims.reduce((product, axis) => product * axis, 1);
    const fall = b.reduceSum(b.reshape(b.times(slope, delta), [-1, size]), [1], false);
    return { variable, slope, x0, fall, base: b.plus(x0, b.times(delta, b.spread(left, dims))) };
  });
  // The linearised loss where the step begins and at the clean point; the boundary that counts lies a little beyond 0.
  const fall =
    at.length === 1
      ? (at[0]?.fall ?? '')
      : b.op(
          'Sum',
          at.map((each) => each.fall),
        );
  const height = b.minus(b.read('loss'), b.scalar(reachedMargin));
  const heightAt = (share: string) => b.minus(height, b.times(fall, b.minus(one, share)));
  const here = moveToBoundary(
    b,
    norm,
    heightAt(left),
    at.map(({ variable, slope, base }) => ({ variable, slope, from: base })),
  );
  const clean = moveToBoundary(
    b,
    norm,
    heightAt(b.scalar(0)),
    at.map(({ variable, slope, x0 }) => ({ variable, slope, from: x0 })),
  );
  const both = b.op('Max', [b.plus(here.scale, clean.scale), b.scalar(SMALLEST)]);
  const alpha = b.op('Min', [b.over(here.scale, both), b.scalar(alpha_max)]);
  for (const { variable, x0, base } of at) {
    const { name, dims } = variable;
    const towards = (from: string, move: string | undefined) =>
      b.plus(from, b.times(confined(b, move ?? '', variable), b.scalar(eta)));
    const share = b.spread(alpha, dims);
    const next = b.plus(
      b.times(towards(base, here.moves.get(name)), b.minus(one, share)),
      b.times(towards(x0, clean.moves.get(name)), share),
    );
    // What is level with the clean point keeps its bits.
    const delta = confined(b, b.minus(next, x0), variable);
    b.write(`next/${name}`, clipToRange(b, b.plus(x0, delta), variable), dims);
  }
  return b.bytes('fab-step');
}

/**
 * FAB, the fast adaptive boundary attack: projects the point and the clean one on the boundary of the linearised margin inside the range, and goes to a mean of the two that
 * leans to the clean one; from points that reached the goal it first goes back towards the clean one.
 * Source: Croce, Hein 2020, "Minimally distorted adversarial examples with a fast adaptive boundary attack", arXiv 1907.02044, algorithm 1. For several true
 * labels the boundary is that of the smooth maximum of their heights, whose tangent is the mixture of theirs that counts where they meet: one gradient a step for any
 * number of labels. The linear form of the point that reached the goal serves for the step back from it too, which spares its evaluation; there is no final line search.
 */
export const fab = defineMinimumNorm({
  name: 'fab',
  summary:
    'Projections on the linearised boundary inside the range, leaning to the clean point: small in any dense norm.',
  source: 'Croce, Hein 2020, arXiv 1907.02044',
  knowledge: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  parameters: PARAMETERS,
  plan(setting, values) {
    const { steps, logitScale, goal = DEACTIVATE_ALL } = setting;
    const memory = isConvex(goal) ? values.memory : 0;
    const paths = {
      temperature: temperatures(steps, logitScale),
      memory: Array.from({ length: steps }, (_, step) => (step === 0 ? 0 : memory)),
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
      stepParameters: (examples, first, count) => pathParameters(paths, examples.length, first, count),
    };
  },
});
