import { elementCount } from '@faultline/contracts';
import type { AttackPlan, AttackSetting } from './attack.ts';
import type { ParameterSpecs, ValuesOf } from './attack-parameters.ts';
import { goalMargin } from './goals.ts';
import { type Loss, sampledLoss } from './losses.ts';
import type { ProgramBuilder } from './program-builder.ts';
import type { BallNorm } from './projection.ts';
import { SampleRows } from './sampled-margin.ts';
import { ONSET_NOISE, shiftedMargin, shiftTransform } from './time-shift.ts';

/** What attacks that can do it are told of shifts. */
export const SHIFT_PARAMETERS = {
  shift_share: {
    type: 'number',
    description:
      'Sound: largest random shift of its onset either way, as a share of its length; steps descend on the mean over shifted views. 0: none.',
    minimum: 0,
    maximum: 0.5,
    default: 0,
  },
  shift_samples: {
    type: 'number',
    description: 'Views of each example in a step where there are shifts; the first is the point as it is.',
    minimum: 2,
    maximum: 32,
    default: 8,
    whole: true,
  },
  shift_fill: {
    type: 'choice',
    description: 'What stands where a shift leaves nothing: what left at the other end, or silence.',
    values: ['circular', 'silence'],
    default: 'circular',
  },
} as const satisfies ParameterSpecs;

/** What a step program reads of evaluations with shifted views, and how. */
export interface ShiftedEvaluation {
  /** Where the step program is built. */
  readonly b: ProgramBuilder;
  /** The margin over all views, [examples]. */
  readonly marginOf: (b: ProgramBuilder) => string;
  /** The mean loss of all views, [examples]. */
  readonly lossOf: (b: ProgramBuilder) => string;
}

export interface ShiftTolerance extends ValuesOf<typeof SHIFT_PARAMETERS> {
  readonly loss: Loss;
  /** Temperature of smooth maxima, [examples]. Default: param/temperature. */
  readonly temperature?: (b: ProgramBuilder) => string;
  readonly step: (evaluation: ShiftedEvaluation) => Uint8Array;
}

/** The plan over shifted views: expectation over the onsets of the sound (Athalye et al. 2018, arXiv 1707.07397); each step draws onsets that no step before had. */
export function shiftTolerant(
  plan: AttackPlan,
  setting: AttackSetting<BallNorm>,
  { shift_share, shift_samples: samples, shift_fill: fill, loss, temperature, step }: ShiftTolerance,
): AttackPlan {
  const sounds = setting.variables.filter(({ dims, isTap }) => dims.length === 1 && isTap !== true);
  const shifts = sounds.map((variable) => ({
    variable,
    most: largestShift(shift_share, elementCount(variable.dims)),
    fill,
  }));
  return {
    ...plan,
    programs: {
      ...plan.programs,
      transform: shiftTransform(shifts, samples),
      objective: sampledLoss(loss, setting, samples, temperature),
      step: step({
        b: new SampleRows(samples, ['logits', 'targets']),
        marginOf: (b) => shiftedMargin(b, samples, (rows) => goalMargin(rows, setting)),
        lossOf: (b) => b.reduceMean(b.read('loss', [samples]), [1], false),
      }),
    },
    samples: { count: samples, gradient: 'mean' },
    noise: [...plan.noise, ONSET_NOISE],
  };
}

/** Largest shift of a sound of so many samples, in samples. */
export const largestShift = (share: number, samples: number): number => Math.max(1, Math.round(share * samples));
