import type { DenseTensor } from '@faultline/contracts';
import type { Programs, Tensors } from '@faultline/victim';
import type { AttackDefinition, AttackSetting, AttackVariable, ExampleBudget, Parameters } from './attack.ts';
import type { ParameterSpecs, ParameterValues, ValuesOf } from './attack-parameters.ts';
import { halfCosine } from './fmn.ts';
import { goalMargin } from './goals.ts';
import { lossOf } from './losses.ts';
import { epsilonName, settingConstants } from './parameters.ts';
import { temperatures } from './pgd.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange, confined, shorten, steepest } from './projection.ts';

const PARAMETERS = {
  form: {
    type: 'choice',
    description:
      'strict: after each step the perturbation is brought back to its budget; legacy: steps add up without that, as in the founding study, and the norm that comes of it is reported.',
    values: ['strict', 'legacy'],
    default: 'strict',
  },
  loss: {
    type: 'choice',
    description:
      'What is descended on: the margin of the clips that still stand, or minus the binary cross-entropy of all.',
    values: ['margin', 'bce'],
    default: 'margin',
  },
  step_scale: {
    type: 'number',
    description:
      'First step, in units of epsilon; strict steps fall to a twentieth of it along a half cosine, legacy ones stay (the founding study: 1).',
    minimum: 1e-3,
    maximum: 10,
    default: 0.25,
  },
} as const satisfies ParameterSpecs;

type Values = ValuesOf<typeof PARAMETERS>;

/** The norms of its budgets. */
export type UniversalNorm = 'linf' | 'l2';

/** The last step of the strict form, as a share of the first. */
const LAST_STEP = 0.05;

/** How far beyond the goal a clip still pulls, in units of the logit scale: other clips than those of the crafting split need the reserve. */
const RESERVE = 0.25;

/** A universal attack, ready to run on any batches of its setting: `x/V` is shared, a perturbation. */
export interface UniversalPlan {
  /** They report `outcome/margin` of every clip of the batch. */
  readonly programs: Programs;
  readonly constants: Tensors;
  /** Parameters of step `step` of `steps` over all passes, on a batch of so many examples. */
  stepParameters(budget: ExampleBudget, examples: number, step: number, steps: number): Parameters;
}

/** A row of the catalogue: an attack that looks for one perturbation for all clips. `steps` are passes over the crafting split. */
export interface UniversalDefinition extends Omit<AttackDefinition, 'kind' | 'plan' | 'members'> {
  readonly kind: 'universal';
  plan(setting: AttackSetting, values: ParameterValues): UniversalPlan;
}

/** What the victim sees: the clean input plus the perturbation, limited to the range. */
function transformProgram(variables: readonly AttackVariable[]): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const sum = b.plus(b.read(`x0/${name}`, dims), b.readShared(`x/${name}`, dims));
    b.write(`seen/${name}`, clipToRange(b, sum, variable), dims);
  }
  return b.bytes('universal-transform');
}

/** The margin pulls until it is so far below 0: clips that are off leave the others their share of the perturbation. */
function objectiveProgram(setting: AttackSetting, loss: Values['loss']): Uint8Array {
  const b = new ProgramBuilder();
  const value = lossOf(b, loss, setting);
  b.write('loss', loss === 'bce' ? value : b.relu(b.plus(value, b.scalar(RESERVE * setting.logitScale))));
  return b.bytes('universal-objective');
}

function stepProgram(setting: AttackSetting<UniversalNorm>, { form }: Values): Uint8Array {
  const { norm, variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, band } = variable;
    const epsilon = b.readShared(`param/${epsilonName(name)}`);
    const gradient = confined(b, b.readShared(`grad/${name}`, dims), variable);
    const length = b.times(b.readShared('param/stepSize'), epsilon);
    const moved = b.minus(b.readShared(`x/${name}`, dims), steepest(b, norm, gradient, variable, length));
    const limit = b.spread(epsilon, dims);
    const inside = () =>
      norm === 'linf' && band === undefined
        ? b.op('Max', [b.op('Min', [moved, limit]), b.negate(limit)])
        : shorten(b, norm, moved, epsilon, variable);
    b.writeShared(`next/${name}`, form === 'strict' ? inside() : moved, dims);
  }
  b.write('outcome/margin', goalMargin(b, setting));
  return b.bytes('universal-step');
}

/**
 * A universal perturbation: one delta for each variable and all clips, by descent on their mean loss, a step a batch, over several passes of the crafting split.
 * Sources: Moosavi-Dezfooli, Fawzi, Fawzi, Frossard 2017, "Universal adversarial perturbations", arXiv 1610.08401, here by gradients of batches as in
 * Shafahi et al. 2020, arXiv 1811.11304; the accumulating form: the founding study, arXiv 2011.07430, where the perturbation was not projected again after steps.
 */
export const universal: UniversalDefinition = {
  name: 'universal',
  summary:
    'One perturbation for all clips, crafted over batches of one split; kept in its budget, or accumulated (legacy).',
  source: 'Shafahi et al. 2020, arXiv 1811.11304; legacy: arXiv 2011.07430',
  kind: 'universal',
  knowledge: 'gradients',
  norms: ['linf', 'l2'],
  parameters: PARAMETERS,
  plan({ norm, variables, ...rest }, given) {
    if (norm !== 'linf' && norm !== 'l2') throw new RangeError(`attack 'universal' has no ${norm} form`);
    const setting = { ...rest, norm, variables: variables.map((variable) => ({ ...variable, norm })) };
    // The specifications say what each value is, and `checkParameters` has held the values against them.
    const values = given as Values;
    return {
      programs: {
        transform: transformProgram(setting.variables),
        objective: objectiveProgram(setting, values.loss),
        step: stepProgram(setting, values),
      },
      constants: settingConstants(setting),
      stepParameters(budget, examples, step, steps) {
        const { form, step_scale } = values;
        const sizes = form === 'legacy' ? [] : halfCosine(steps, step_scale, step_scale * LAST_STEP);
        const [heat = 0] = temperatures(steps, setting.logitScale).slice(step);
        return {
          ...Object.fromEntries(Array.from(budget, ([name, epsilon]) => [epsilonName(name), Float32Array.of(epsilon)])),
          stepSize: Float32Array.of(sizes[step] ?? step_scale),
          temperature: new Float32Array(examples).fill(heat),
        };
      },
    };
  },
};

/** What a universal attack found at one rung. */
export interface UniversalResult {
  /** Index in the threat model's ladder. */
  readonly rung: number;
  /** By variable: the perturbation, float32 [1, ...]. */
  readonly perturbations: ReadonlyMap<string, DenseTensor<Float32Array>>;
  /** By variable: its norm, in float64 from the tensor. The legacy form may be far beyond its budget. */
  readonly norms: ReadonlyMap<string, number>;
  /** After each pass: share of the crafting clips whose goal was reached when the pass came to them. The attack's own, never a result. */
  readonly reachedByPass: readonly number[];
}
