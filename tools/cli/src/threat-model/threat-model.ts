import { attack } from '@faultline/contracts';
import { z } from 'zod';

const MAX_RUNGS = 16;
const MAX_STEPS = 10_000;
const MAX_ATTACKS = 16;

/** The attack where nothing is said. */
const DEFAULT_ATTACK = 'pgd';

/** Gradient steps a restart where nothing is said. */
export const DEFAULT_STEPS = 20;

export const NORMS = {
  linf: attack.Norm.NORM_LINF,
  l2: attack.Norm.NORM_L2,
  l1: attack.Norm.NORM_L1,
  l0: attack.Norm.NORM_L0,
} as const;

export type NormName = keyof typeof NORMS;

export const NORM_NAMES = ['linf', 'l2', 'l1', 'l0'] as const satisfies readonly NormName[];

const WEIGHTINGS = {
  loudness: attack.Weighting.WEIGHTING_LOUDNESS,
  masking: attack.Weighting.WEIGHTING_MASKING,
} as const;

const WEIGHTING_NAMES = ['loudness', 'masking'] as const satisfies readonly (keyof typeof WEIGHTINGS)[];

export const name = z.string().regex(/^[a-z0-9][a-z0-9-]*$/, 'use lower-case letters, digits and hyphens');

/** Names of a victim's inputs, and of parameters, are those that its maker gave. */
const foreignName = z.string().min(1);
const scale = z.number().positive();

const ladder = z
  .strictObject({
    /** Budgets at which an attack ends with success: for success rates and critical budgets. */
    early: z.array(scale).default([]),
    /** Budgets at which an attack does all its steps: for robust mAP. */
    never: z.array(scale).default([]),
  })
  .refine(({ early, never }) => early.length + never.length > 0, 'give at least one budget under early or never')
  .refine(({ early, never }) => early.length + never.length <= MAX_RUNGS, `give at most ${MAX_RUNGS} budgets`)
  .refine(
    ({ early, never }) => new Set([...early, ...never]).size === early.length + never.length,
    'a budget is there twice; budgets under never count for success rates, too',
  );

/** [low, high] of a stretch of time in seconds, or of a band in hertz. */
const stretch = z
  .tuple([z.number().min(0), z.number().positive()])
  .refine(([low, high]) => high > low, 'give [low, high], the second above the first');

const share = z.number().min(0).max(1);

/** Where a variable may change; what is free in all lists together. Ranges as in the contract's Region. */
const region = z
  .strictObject({
    /** Seconds. */
    windows: z.array(stretch).default([]),
    /** Indices of frames. */
    frames: z.array(z.number().int().min(0)).default([]),
    /** [left, top, right, bottom], shares of width and height. */
    boxes: z.array(z.tuple([share, share, share, share])).default([]),
    /** Hertz. */
    bands: z.array(stretch).default([]),
  })
  .refine((lists) => Object.values(lists).some((list) => list.length > 0), 'name windows, frames, boxes or bands');

const rho = z.number().positive();

/** rho or a share, and what else a budget may say, as in the contract's VariableBudget. */
const fullBudget = z.strictObject({
  rho: rho.optional(),
  /** In the place of rho: a share of the size of the clean value in each clip. */
  relative: rho.optional(),
  region: region.optional(),
  norm: z.enum(NORM_NAMES).optional(),
  /** The budget holds in each frame; of a waveform they have a length in seconds. */
  frames: z.strictObject({ seconds: z.number().min(0).default(0) }).optional(),
  /** Of a waveform: its coefficients are weighted by loudness, or by what the clip masks. */
  weighting: z.enum(WEIGHTING_NAMES).optional(),
  stepScale: z.number().positive().optional(),
  low: z.number().optional(),
  high: z.number().optional(),
});

/** rho alone, or with more. */
const budget = z
  .union([rho.transform((value): z.output<typeof fullBudget> => ({ rho: value })), fullBudget], {
    error:
      'give its budget at scale 1, a number above 0, or { rho, region, norm, frames, weighting, stepScale, low, high }, of which all but rho may be left out; { relative } in the place of rho is a share of the clean value',
  })
  .refine(
    (given) => (given.rho === undefined) !== (given.relative === undefined),
    'give rho, or relative for a share of the clean value: one of the two',
  );

/** Attacks of the catalogue have underscores. */
const attackName = z.string().regex(/^[a-z0-9][a-z0-9_-]*$/, 'use the name of an attack of `faultline attacks`');
const steps = z.number().int().min(1).max(MAX_STEPS).default(DEFAULT_STEPS);
const restarts = z.number().int().min(1).default(1);
const parameters = z.record(foreignName, z.union([z.number(), z.string()])).default({});

const surrogate = z.string().min(1);

/** One of several attacks under a threat model. */
const listedAttack = z.strictObject({
  /** In results; that of the attack where it is left out. */
  name: attackName.optional(),
  attack: attackName,
  steps,
  restarts,
  parameters,
  /** Of `attack: transfer`: the victim that it crafts on. */
  surrogate: surrogate.optional(),
});

const GOALS = {
  'deactivate-all': attack.GoalKind.GOAL_KIND_DEACTIVATE_ALL,
  'deactivate-one': attack.GoalKind.GOAL_KIND_DEACTIVATE_ONE,
  'fabricate-one': attack.GoalKind.GOAL_KIND_FABRICATE_ONE,
  'top-k': attack.GoalKind.GOAL_KIND_TOP_K,
  targeted: attack.GoalKind.GOAL_KIND_TARGETED,
} as const;

export type GoalName = keyof typeof GOALS;
export const GOAL_NAMES = [
  'deactivate-all',
  'deactivate-one',
  'fabricate-one',
  'top-k',
  'targeted',
] as const satisfies readonly GoalName[];

/** A goal's kind as campaign files name it. */
export const goalName = (kind: attack.GoalKind): GoalName =>
  GOAL_NAMES.find((name) => GOALS[name] === kind) ?? 'deactivate-all';

/** What the attacks want of the logits, as in the contract's Goal. */
const goal = z.strictObject({
  kind: z.enum(GOAL_NAMES),
  label: z.string().default(''),
  k: z.number().int().min(0).default(0),
});

/** Which clips a universal perturbation is crafted on, as in the contract's CraftingSplit. */
const craft = z.union(
  [z.strictObject({ stratum: z.string().min(1) }), z.strictObject({ share: z.number().gt(0).lt(1) })],
  { error: 'give { stratum: NAME }, or { share: S } of the independence groups, above 0 and below 1' },
);

/** A threat model as people write it: with a ladder, or with a bound up to which attacks search; with one attack, or several in a list. */
export const threatModelSchema = z
  .strictObject({
    name,
    norm: z.enum(NORM_NAMES),
    /** Each variable's budget at scale 1, or that with a region. */
    variables: z.record(foreignName, budget).refine((value) => Object.keys(value).length > 0, 'name a variable'),
    goal: goal.optional(),
    ladder: ladder.optional(),
    /** Of searches: the largest scale. */
    maxScale: scale.optional(),
    attack: attackName.optional(),
    steps,
    restarts,
    parameters,
    surrogate: surrogate.optional(),
    attacks: z.array(listedAttack).min(1).max(MAX_ATTACKS).optional(),
    /** Of `attack: universal`. */
    craft: craft.optional(),
  })
  .refine(({ ladder: rungs, maxScale }) => rungs === undefined || maxScale === undefined, {
    path: ['maxScale'],
    error: 'bounds searches; leave out it, or the ladder',
  })
  .refine(({ attack: one, attacks }) => one === undefined || attacks === undefined, {
    path: ['attack'],
    error: 'put it into attacks, which holds all of them',
  });

export type ThreatModelInput = z.input<typeof threatModelSchema>;

/** The threat model as a message. */
export function threatModelMessage(model: z.output<typeof threatModelSchema>, seed: number): attack.ThreatModel {
  const { attack: algorithm = DEFAULT_ATTACK, steps, restarts, parameters, surrogate: craftedOn } = model;
  const alone = { name: undefined, attack: algorithm, steps, restarts, parameters, surrogate: craftedOn };
  const [first = alone, ...further] = model.attacks ?? [];
  return {
    name: model.name,
    variables: Object.entries(model.variables).map(
      ([variable, { rho: absolute, relative, region, norm, weighting, ...own }]) =>
        attack.VariableBudget.fromPartial({
          ...own,
          variable,
          rho: absolute ?? relative,
          relative: relative !== undefined,
          region: region === undefined ? undefined : regionMessage(region),
          norm: norm === undefined ? undefined : NORMS[norm],
          weighting: weighting === undefined ? undefined : WEIGHTINGS[weighting],
        }),
    ),
    norm: NORMS[model.norm],
    rungs: model.ladder === undefined ? [] : rungsOf(model.ladder),
    ...attackMessage(first),
    attackName: first.name ?? '',
    seed,
    goal: model.goal === undefined ? undefined : { ...model.goal, kind: GOALS[model.goal.kind] },
    maxScale: model.maxScale,
    craft: model.craft === undefined ? undefined : craftMessage(model.craft),
    furtherAttacks: further.map((one) => ({ name: one.name ?? '', ...attackMessage(one) })),
  };
}

const craftMessage = (given: z.output<typeof craft>): attack.CraftingSplit => ({
  choice: 'stratum' in given ? { $case: 'stratum', value: given.stratum } : { $case: 'share', value: given.share },
});

/** One attack's part of a message. */
const attackMessage = ({
  attack: algorithm,
  steps,
  restarts,
  parameters,
  surrogate: craftedOn = '',
}: z.output<typeof listedAttack>) => ({
  attack: algorithm,
  steps,
  restarts,
  surrogate: craftedOn,
  parameters: Object.entries(parameters).map(
    ([parameter, value]): attack.AttackParameter => ({
      name: parameter,
      value: typeof value === 'number' ? { $case: 'number', value } : { $case: 'choice', value },
    }),
  ),
});

const regionMessage = ({ windows, frames, boxes, bands }: z.output<typeof region>): attack.Region => ({
  windows: windows.map(([startSeconds, endSeconds]) => ({ startSeconds, endSeconds })),
  frames,
  boxes: boxes.map(([left, top, right, bottom]) => ({ left, top, right, bottom })),
  bands: bands.map(([lowHz, highHz]) => ({ lowHz, highHz })),
});

function rungsOf({ early, never }: z.output<typeof ladder>): attack.Rung[] {
  const { STOPPING_EARLY, STOPPING_NEVER } = attack.Stopping;
  return [
    ...early.map((value) => ({ scale: value, stopping: STOPPING_EARLY })),
    ...never.map((value) => ({ scale: value, stopping: STOPPING_NEVER })),
  ].sort((a, b) => a.scale - b.scale);
}
