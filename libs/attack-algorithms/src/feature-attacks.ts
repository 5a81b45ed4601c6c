import type { TapDescription } from '@faultline/victim';
import { type AttackPlan, type AttackSetting, type AttackVariable, defineAttack } from './attack.ts';
import { defaultValues, type ParameterSpecs, type ValuesOf } from './attack-parameters.ts';
import { type FeatureObjective, featureObjective } from './feature-objectives.ts';
import { pgd, pgdStep } from './pgd.ts';
import type { BallNorm } from './projection.ts';
import { FirstSampleBuilder, ONSET_NOISE, shiftTransform } from './time-shift.ts';

/** Names of the taps that these attacks read: the last features of each branch, before they meet. */
const AUDIO = 'audio.embedding';
const VIDEO = 'video.embedding';
const EMBEDDINGS = [AUDIO, VIDEO] as const;

const STEP_SCALE = {
  type: 'number',
  description: 'Factor on all step sizes, as of pgd.',
  minimum: 0.01,
  maximum: 100,
  default: 1,
} as const;

const SHIFTS = {
  shift_share: {
    type: 'number',
    description: 'Largest shift in time between the transformed views, as a share of the length of the input.',
    minimum: 0.01,
    maximum: 0.5,
    default: 0.25,
  },
  samples: {
    type: 'number',
    description: 'Views of each example in a step; the first is the point as it is.',
    minimum: 2,
    maximum: 16,
    default: 4,
    whole: true,
  },
} as const satisfies ParameterSpecs;

const INVARIANT_WEIGHT = {
  type: 'number',
  description: 'Weight of the variance (of TIA) beside the cosine (of MMA).',
  minimum: 0,
  maximum: 100,
  default: 1,
} as const;

const tapOf = ({ taps = [] }: AttackSetting<BallNorm>, name: string): TapDescription => {
  const tap = taps.find((one) => one.name === name);
  if (tap === undefined) throw new RangeError(`the victim has no tap '${name}'`);
  return tap;
};

/** PGD with another objective: its starts, steps and best point by the goal's margin, on what the objective descends. */
function planOf(setting: AttackSetting<BallNorm>, stepScale: number, objective: FeatureObjective): AttackPlan {
  const plan = pgd.plan(setting, { ...defaultValues(pgd.parameters), step_scale: stepScale });
  return { ...plan, programs: { ...plan.programs, objective: featureObjective(objective) } };
}

/** The same over shifted views of each example. */
function shiftedPlan(
  setting: AttackSetting<BallNorm>,
  values: ValuesOf<typeof SHIFTS> & { readonly step_scale: number },
  objective: Omit<FeatureObjective, 'samples'>,
): AttackPlan {
  const { samples, shift_share, step_scale } = values;
  const plan = planOf(setting, step_scale, { ...objective, samples });
  const most = ({ dims: [length = 1] }: AttackVariable) => Math.max(1, Math.round(shift_share * length));
  const shifts = setting.variables.map((variable) => ({ variable, most: most(variable), fill: 'circular' as const }));
  const step = pgdStep(setting, new FirstSampleBuilder(samples));
  return {
    ...plan,
    programs: { ...plan.programs, transform: shiftTransform(shifts, samples), step },
    samples: { count: samples, gradient: 'mean' },
    noise: [...plan.noise, ONSET_NOISE],
  };
}

const misaligned = (setting: AttackSetting<BallNorm>) => [tapOf(setting, AUDIO), tapOf(setting, VIDEO)] as const;
const invariant = (setting: AttackSetting<BallNorm>, weight: number) => ({
  taps: EMBEDDINGS.map((name) => tapOf(setting, name)),
  weight,
});

const SOURCE = 'arXiv 2502.11858 (ICLR 2025)';

const COMMON = {
  kind: 'fixed budget',
  knowledge: 'gradients',
  norms: ['linf', 'l2'],
  mixes: ['linf', 'l2'],
  taps: EMBEDDINGS,
} as const;

/**
 * The temporal invariance attack: minimises the variance of the features of both branches over views that are shifted in time, so that what changes with time is lost.
 * Every iterate is judged by the goal's margin, as it is, and the lowest is kept. Source: see `source`; the variance is relative to the features' mean square, and the
 * transformation is a circular shift. Cost: `samples` gradients a step.
 */
export const tia = defineAttack({
  ...COMMON,
  name: 'tia',
  summary: 'Temporal invariance attack: the features of views shifted in time are made alike; judged by the goal.',
  source: SOURCE,
  parameters: { ...SHIFTS, step_scale: STEP_SCALE },
  plan: (setting, values) => shiftedPlan(setting, values, { invariant: invariant(setting, 1) }),
});

/** The modality misalignment attack: minimises the cosine of the two branches' features. Every iterate is judged by the goal's margin, and the lowest is kept. */
export const mma = defineAttack({
  ...COMMON,
  name: 'mma',
  summary: 'Modality misalignment attack: the features of sound and picture are turned apart; judged by the goal.',
  source: SOURCE,
  equalTaps: true,
  parameters: { step_scale: STEP_SCALE },
  plan: (setting, values) => planOf(setting, values.step_scale, { misaligned: misaligned(setting), samples: 1 }),
});

/** Both: the cosine of MMA, in every view, plus the variance of TIA. */
export const tma = defineAttack({
  ...COMMON,
  name: 'tma',
  summary: 'Temporal and modality attack: TIA and MMA together; judged by the goal.',
  source: SOURCE,
  equalTaps: true,
  parameters: { ...SHIFTS, step_scale: STEP_SCALE, weight: INVARIANT_WEIGHT },
  plan: (setting, values) =>
    shiftedPlan(setting, values, {
      misaligned: misaligned(setting),
      invariant: invariant(setting, values.weight),
    }),
});
