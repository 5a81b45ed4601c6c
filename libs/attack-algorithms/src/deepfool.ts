import type { DenseTensor } from '@faultline/contracts';
import type { ParameterSpecs } from './attack-parameters.ts';
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

/** Objective program: the height of each sample's own label above its threshold, [examples, rows]. */
export function labelHeights(rows: number, labels: number): Uint8Array {
  const b = new ProgramBuilder();
  const thresholds = b.reshape(b.constantSlot('thresholds', [labels]), [1, 1, labels]);
  const above = b.minus(b.read('logits', [rows, labels]), thresholds);
  b.write('loss', b.reduceSum(b.times(above, b.read('data/rows', [rows, labels])), [2], false), [rows]);
  return b.bytes('label-heights');
}

/** data/rows: the true labels of each example, one-hot, [examples, rows, labels]; the first one again where there are fewer. */
export function labelRows({ dims, data }: DenseTensor<Float32Array>, rows: number): DenseTensor<Float32Array> {
  const [examples = 0, labels = 0] = dims;
  const picks = new Float32Array(examples * rows * labels);
  for (let example = 0; example < examples; example += 1) {
    const active = [...data.subarray(example * labels, (example + 1) * labels).entries()].flatMap(([label, on]) =>
      on === 1 ? [label] : [],
    );
    for (let row = 0; row < rows; row += 1) {
      picks[(example * rows + row) * labels + (active[row] ?? active[0] ?? 0)] = 1;
    }
  }
  return { dims: [examples, rows, labels], data: picks };
}

function initProgram(setting: MinimumNormSetting<DenseNorm>): Uint8Array {
  const b = new ProgramBuilder();
  startSmallest(b, setting);
  return b.bytes('deepfool-init');
}

function stepProgram(setting: MinimumNormSetting<DenseNorm>, overshoot: number): Uint8Array {
  const { norm, variables, mostTargets, reachedMargin } = setting;
  const b = new ProgramBuilder();
  const { scale } = perturbation(b, norm, variables);
  const heights = b.read('loss', [mostTargets]);
  const { bestScale, reached } = updateSmallest(b, setting, { scale, margin: b.reduceMax(heights, [1], false) });
  b.write('outcome/done', b.op('Where', [reached, b.scalar(1), b.times(bestScale, b.scalar(0))]));
  // The boundary that counts lies a little beyond 0.
  const wanted = b.minus(heights, b.scalar(reachedMargin));
  const moves = smallestLinearMove(b, norm, wanted, variables, mostTargets);
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
 * DeepFool: goes to where all true labels would be off if the logits were linear, by the Jacobian of each, until they are. Coordinates
 * at an end of the range are left out of the step that they cannot take; on a linear victim that fills the range like water.
 * Source: Moosavi-Dezfooli, Fawzi, Frossard 2016, "DeepFool: a simple and accurate method to fool deep neural networks", algorithm 1 (and section 3.3 for
 * L-inf). Several true labels are met together, by the smallest move that meets all of their linear forms, rather than the nearest one first.
 */
export const deepfool = defineMinimumNorm({
  name: 'deepfool',
  summary:
    'Steps to the boundary of the linearised logits of all true labels, with a little overshoot: fast and close.',
  source: 'Moosavi-Dezfooli et al. 2016, arXiv 1511.04599',
  knowledge: 'gradients',
  norms: ['l2', 'linf'],
  parameters: PARAMETERS,
  plan(setting, { overshoot }) {
    const { mostTargets, thresholds } = setting;
    return {
      programs: {
        objective: labelHeights(mostTargets, thresholds.length),
        init: initProgram(setting),
        step: stepProgram(setting, overshoot),
      },
      noise: 'normal',
      constants: settingConstants(setting),
      samples: { count: mostTargets, gradient: 'each' },
      steps: setting.steps,
      data: (targets) => new Map([['rows', labelRows(targets, mostTargets)]]),
      initParameters: largestScales,
      stepParameters: () => ({}),
    };
  },
});
