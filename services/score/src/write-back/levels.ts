import type { attack, victim } from '@faultline/contracts';
import type { ClipLevels } from '@faultline/media';
import { FLOAT32_SLACK, GRIDS, type Grid, type QuantisedPair, quantiseInward } from '@faultline/media/write-back';
import { type BudgetMeasure, perturbationSize } from '@faultline/metrics';
import { budgetMeasure } from '@faultline/victim';
import type { Candidate } from '../judge/inspect.ts';
import { type ClipInputs, toFloat32 } from '../peers/tensor-rows.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';

/** What files hold of one input. */
export interface InputLevels {
  readonly input: victim.InputSpecification;
  readonly grid: Grid;
  /** The values before: clean and adversarial, the same where the input is not attacked. */
  readonly values: { readonly clean: Float32Array; readonly adversarial: Float32Array };
  readonly levels: QuantisedPair;
}

/** Two points in levels. */
interface GridPoints {
  readonly clean: ArrayLike<number>;
  readonly adversarial: ArrayLike<number>;
}

/** The grid of an input's values. */
export function gridOf({ kind }: victim.InputSpecification): Grid {
  return GRIDS[kind?.$case ?? 'waveform'];
}

/** Size of the difference of two points on a grid, in the unit of the values: levels are whole numbers, so no rounding of float32 is in it. */
export function gridSize(measure: BudgetMeasure, { clean, adversarial }: GridPoints, { steps }: Grid): number {
  const inLevels = perturbationSize(Float32Array.from(adversarial), Float32Array.from(clean), measure);
  return measure.norm === 'l0' ? inLevels : inLevels / steps;
}

/** An adversarial example and its clean clip on the grids of a file; the norm of no variable exceeds its budget. */
export function exampleLevels(
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  scale: number,
  inputs: ClipInputs,
  candidate: Candidate,
): InputLevels[] {
  return victim.card.inputs.map((input) => {
    const grid = gridOf(input);
    const clean = toFloat32(inputs.get(input.name)?.data ?? new Float32Array(0));
    const adversarial = candidate.adversarial.get(input.name) ?? clean;
    const budget = threatModel.variables.find(({ variable }) => variable === input.name);
    const generous = quantiseInward(clean, adversarial, grid, FLOAT32_SLACK);
    const isWithin =
      budget === undefined || gridSize(budgetMeasure(threatModel, budget, input), generous, grid) <= scale * budget.rho;
    const levels = isWithin ? generous : quantiseInward(clean, adversarial, grid, 0);
    return { input, grid, values: { clean, adversarial }, levels };
  });
}

/** One of the two clips as it is encoded. */
export function clipLevels(inputs: readonly InputLevels[], which: keyof QuantisedPair): ClipLevels {
  let clip: ClipLevels = { pictures: undefined, sound: undefined };
  for (const { input, levels } of inputs) {
    const { kind } = input;
    if (kind?.$case === 'frames') clip = { ...clip, pictures: { ...kind.value, levels: levels[which] } };
    if (kind?.$case === 'waveform') clip = { ...clip, sound: { ...kind.value, levels: levels[which] } };
  }
  return clip;
}

/** Share of the values that an attack changed and that are still changed on the grid; 0 where it changed none. */
export function keptShare({ values, levels }: InputLevels): number {
  let [changed, kept] = [0, 0];
  for (const [index, value] of values.adversarial.entries()) {
    if (value === values.clean[index]) continue;
    changed += 1;
    if (levels.adversarial[index] !== levels.clean[index]) kept += 1;
  }
  return changed === 0 ? 0 : kept / changed;
}
