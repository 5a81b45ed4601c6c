import { attack, type victim } from '@faultline/contracts';
import { frameSize, normName, normOf, valueRange, weightingOf } from '@faultline/victim';
import type { AttackVariable } from './attack.ts';
import { weightedRegion } from './check-weighting.ts';
import type { Faults } from './faults.ts';

/** Step sizes beyond these are typos: the budget itself ends a step. */
const LEAST_STEP_SCALE = 1e-3;
const MOST_STEP_SCALE = 1e3;

/** The part of a variable's budget that is its own: norm, frames, step, range. */
export type OwnBudget = Pick<
  AttackVariable,
  'norm' | 'weighted' | 'frameSize' | 'stepScale' | 'isNarrowed' | 'low' | 'high'
>;

/** What of a budget only attacks with `mixes` know, by its field; empty where it is as plain as the threat model's. */
export function ownParts(threatModel: attack.ThreatModel, budget: attack.VariableBudget): string[] {
  const { frames, stepScale, low, high, weighting } = budget;
  const isOwn = Object.entries({
    norm: normOf(threatModel, budget) !== threatModel.norm,
    frames: frames !== undefined,
    weighting: weighting !== attack.Weighting.WEIGHTING_UNSPECIFIED,
    step_scale: stepScale !== undefined,
    low: low !== undefined,
    high: high !== undefined,
  });
  return isOwn.filter(([, own]) => own).map(([field]) => field);
}

/** A budget's own parts in terms of its input. What cannot be used leaves a fault at a field below `field`. */
export function checkOwnBudget(
  threatModel: attack.ThreatModel,
  budget: attack.VariableBudget,
  input: victim.InputSpecification,
  field: string,
  faults: Faults,
): OwnBudget {
  const { frames, region, stepScale } = budget;
  const norm = normName(normOf(threatModel, budget));
  if (norm === undefined) faults.add(`${field}.norm`, 'is not known; use one that the catalogue names for the attack');
  if (frames !== undefined) {
    checkFrames(frames, input, `${field}.frames`, faults);
    const fits = norm === 'linf' || norm === 'l2';
    faults.unless(fits, `${field}.frames`, `comes with norm ${norm}; frames take NORM_LINF or NORM_L2`);
    const whole = (region?.bands.length ?? 0) === 0;
    faults.unless(whole, `${field}.frames`, 'comes with bands, whose atoms reach over frames; give one of them');
  }
  const stepFits = stepScale === undefined || (stepScale >= LEAST_STEP_SCALE && stepScale <= MOST_STEP_SCALE);
  faults.unless(
    stepFits,
    `${field}.step_scale`,
    `is ${stepScale}; give a number from ${LEAST_STEP_SCALE} to ${MOST_STEP_SCALE}`,
  );
  const weighting = weightingOf(budget, input);
  if (budget.weighting !== attack.Weighting.WEIGHTING_UNSPECIFIED) {
    const isSound = weighting !== undefined;
    faults.unless(isSound, `${field}.weighting`, `weighs sound; '${input.name}' is no waveform: leave it out`);
    const fits = (norm === 'linf' || norm === 'l2') && frames === undefined;
    const given = `${norm}${frames === undefined ? '' : ' and frames'}`;
    faults.unless(fits, `${field}.weighting`, `comes with ${given}; it takes NORM_LINF or NORM_L2 without frames`);
  }
  return {
    norm,
    weighted: weightedOf(budget, input, `${field}.region`, faults),
    frameSize: frames === undefined ? undefined : frameSize(frames, input),
    stepScale,
    ...checkRange(budget, input, field, faults),
  };
}

/** The coefficients of a budget that is one of weighted coefficients. */
function weightedOf(
  budget: attack.VariableBudget,
  input: victim.InputSpecification,
  field: string,
  faults: Faults,
): AttackVariable['weighted'] {
  const weighting = weightingOf(budget, input);
  if (weighting === undefined || input.kind?.$case !== 'waveform') return undefined;
  return weightedRegion(weighting, budget.region, input.kind.value, field, faults);
}

function checkFrames({ seconds }: attack.FrameBudget, input: victim.InputSpecification, field: string, faults: Faults) {
  if (input.kind?.$case === 'waveform') {
    const { samples, sampleRateHz } = input.kind.value;
    const length = samples / sampleRateHz;
    const fits = seconds * sampleRateHz >= 1 && seconds <= length;
    faults.unless(
      fits,
      `${field}.seconds`,
      `is ${seconds}; give the length of a frame, a sample to ${length} s, the whole input`,
    );
  } else {
    faults.unless(seconds === 0, `${field}.seconds`, `is ${seconds}; each picture is a frame: leave it out`);
  }
}

/** The range that values may be put in; a clean value outside a narrowed one may stay. */
function checkRange(
  { low, high }: attack.VariableBudget,
  input: victim.InputSpecification,
  field: string,
  faults: Faults,
): Pick<AttackVariable, 'isNarrowed' | 'low' | 'high'> {
  const whole = valueRange(input);
  const isNarrowed = low !== undefined || high !== undefined;
  const range = { low: low ?? whole.low, high: high ?? whole.high };
  const fits = range.low >= whole.low && range.high <= whole.high && range.low < range.high;
  faults.unless(
    fits,
    `${field}.${low === undefined ? 'high' : 'low'}`,
    `leaves [${range.low}, ${range.high}]; give ends with ${whole.low} <= low < high <= ${whole.high}`,
  );
  return { isNarrowed, low: -inwardFloat(-range.low), high: inwardFloat(range.high) };
}

/** A float32 at or just below the value: programs must not round an end of a range outwards. */
function inwardFloat(value: number): number {
  const nearest = Math.fround(value);
  return nearest <= value ? nearest : Math.fround(nearest - Math.abs(nearest) * 2 ** -23);
}
