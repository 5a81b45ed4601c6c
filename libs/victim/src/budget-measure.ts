import { attack, type victim } from '@faultline/contracts';
import { type BudgetMeasure, referenceSize, type Weighting } from '@faultline/metrics';
import { exampleDims } from './card.ts';

const NORMS = new Map<attack.Norm, BudgetMeasure['norm']>([
  [attack.Norm.NORM_LINF, 'linf'],
  [attack.Norm.NORM_L2, 'l2'],
  [attack.Norm.NORM_L1, 'l1'],
  [attack.Norm.NORM_L0, 'l0'],
]);

/** A norm's short name, or undefined for one that is not known. */
export const normName = (norm: attack.Norm): BudgetMeasure['norm'] | undefined => NORMS.get(norm);

/** The norm of a variable: its own, or that of the threat model. */
export function normOf(threatModel: attack.ThreatModel, { norm }: attack.VariableBudget): attack.Norm {
  return norm === attack.Norm.NORM_UNSPECIFIED ? threatModel.norm : norm;
}

/** Coordinates of a frame of an input: a picture, or a stretch of a waveform, in whole samples; at least 1. */
export function frameSize({ seconds }: attack.FrameBudget, input: victim.InputSpecification): number {
  if (input.kind?.$case === 'waveform') return Math.max(1, Math.round(seconds * input.kind.value.sampleRateHz));
  return exampleDims(input)
    .slice(1)
    .reduce((product, size) => product * size, 1);
}

const WEIGHTINGS = new Map<attack.Weighting, Weighting['kind']>([
  [attack.Weighting.WEIGHTING_LOUDNESS, 'loudness'],
  [attack.Weighting.WEIGHTING_MASKING, 'masking'],
]);

/** The weights of a waveform's coefficients; undefined where its samples are measured. */
export function weightingOf(
  { weighting }: attack.VariableBudget,
  input: victim.InputSpecification | undefined,
): Weighting | undefined {
  const kind = WEIGHTINGS.get(weighting);
  if (kind === undefined || input?.kind?.$case !== 'waveform') return undefined;
  return { kind, sampleRateHz: input.kind.value.sampleRateHz };
}

/**
 * How a threat model measures the perturbation of an input, or (undefined) of a tap.
 * @throws RangeError for a norm that is not known; requests with one are refused before.
 */
export function budgetMeasure(
  threatModel: attack.ThreatModel,
  budget: attack.VariableBudget,
  input: victim.InputSpecification | undefined,
): BudgetMeasure {
  const norm = normName(normOf(threatModel, budget));
  if (norm === undefined) throw new RangeError(`the norm of variable '${budget.variable}' is not known`);
  return {
    norm,
    frameSize: budget.frames === undefined || input === undefined ? undefined : frameSize(budget.frames, input),
    weighting: weightingOf(budget, input),
  };
}

/** rho of a budget on one clip: as it stands, or the share of the variable's clean value that it is where it is relative. */
export function rhoOn(
  { rho, relative }: Pick<attack.VariableBudget, 'rho' | 'relative'>,
  norm: BudgetMeasure['norm'],
  clean: Float32Array,
): number {
  return relative ? rho * referenceSize(clean, norm) : rho;
}
