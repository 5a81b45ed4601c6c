import type { ParameterSpecs } from './attack-parameters.ts';
import { type GoalRows, goalRows } from './goal-rows.ts';
import { type DenseNorm, smallestLinearMove } from './linear-step.ts';
import { defineMinimumNorm, type MinimumNormSetting } from './minimum-norm.ts';
import { largestScales, settingConstants } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange } from './projection.ts';
import { perturbation, startSmallest, updateSmallest } from './smallest-point.ts';

const PARAMETERS = {
  overshoot: {
    type: 'number',
    description: 'How much farther than the estimated boundary each point goes, as a share of the whole perturbation.',
    minimum: 0,
    maximum: 1,
    default: 0.02,
  },
} as const satisfies ParameterSpecs;

/** Name of the state that holds the perturbation without its overshoot. */
const totalSlot = (variable: string) => `state/total/${variable}`;

function initProgram(setting: MinimumNormSetting<DenseNorm>): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  return b.bytes('deepfool-init');
}

function stepProgram(
  setting: MinimumNormSetting<DenseNorm>,
  { count: rows, join }: GoalRows,
  overshoot: number,
): Uint8Array {
  const { norm, variables, reachedMargin } = setting;
  const b = new ProgramBuilder();
  const { scale } = perturbation(b, norm, variables);
  const heights = b.read('loss', [rows]);
  const smallest = () => b.negate(b.reduceMax(b.negate(heights), [1], false));
  const margin = join === 'all' ? b.reduceMax(heights, [1], false) : smallest();
  const { bestScale, reached } = updateSmallest(b, setting, { scale, margin });
  b.write('outcome/done', b.op('Where', [reached, b.scalar(1), b.times(bestScale, b.scalar(0))]));
  // The boundary that counts lies a little beyond 0.
  const wanted = b.minus(heights, b.scalar(reachedMargin));
  const moves = smallestLinearMove(b, norm, { heights: wanted, rows, join }, variables);
  for (const variable of variables) {
    const { name, dims } = variable;
    const x0 = b.read(`x0/${name}`, dims);
    const before = b.read(totalSlot(name), dims);
    const total = b.minus(clipToRange(b, b.plus(x0, b.plus(before, moves.get(name) ?? '')), variable), x0);
    const stays = b.spread(reached, dims);
    b.write(`next/${totalSlot(name)}`, b.op('Where', [stays, before, total]), dims);
    const beyond = clipToRange(b, b.plus(x0, b.times(total, b.scalar(1 + overshoot))), variable);
    b.write(`next/${name}`, b.op('Where', [stays, b.read(`x/${name}`, dims), beyond]), dims);
  }
  return b.bytes('deepfool-step');
}

/**
 * DeepFool: goes to where the goal would be reached if the logits were linear, by the Jacobian of each height that it is made of, until it is. Coordinates
 * at an end of the range are left out of the step that they cannot take; on a linear victim that fills the range like water.
 * Source: Moosavi-Dezfooli, Fawzi, Frossard 2016, "DeepFool: a simple and accurate method to fool deep neural networks", algorithm 1 (and section 3.3 for
 * L-inf). Several true labels are met together, by the smallest move that meets all of their linear forms, rather than the nearest one first;
 * of goals that any of several labels reaches, the nearest one is met.
 */
export const deepfool = defineMinimumNorm({
  name: 'deepfool',
  summary:
    'Steps to the boundary of the linearised logits that the goal is about, with a little overshoot: fast and close.',
  source: 'Moosavi-Dezfooli et al. 2016, arXiv 1511.04599',
  knowledge: 'gradients',
  norms: ['l2', 'linf'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan(setting, { overshoot }) {
    const rows = goalRows(setting);
    return {
      programs: {
        objective: rows.objective,
        init: initProgram(setting),
        step: stepProgram(setting, rows, overshoot),
      },
      noise: 'normal',
      constants: settingConstants(setting),
      samples: { count: rows.count, gradient: 'each' },
      steps: setting.steps,
      data: rows.data,
      initParameters: largestScales,
      stepParameters: () => ({}),
    };
  },
});
