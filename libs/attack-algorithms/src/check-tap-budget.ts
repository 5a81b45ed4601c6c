import { attack, type victim } from '@faultline/contracts';
import { normName, normOf } from '@faultline/victim';
import type { AttackVariable } from './attack.ts';
import type { Faults } from './faults.ts';

/**
 * In the place of a range, for programs that limit values: far beyond what a network computes, and near enough that float32 holds its square and sums of it. A clean value
 * beyond it is refused.
 */
export const TAP_LIMIT = 2 ** 40;

/** What the algorithms take for the range of a tap. */
export const TAP_RANGE = { isTap: true, low: -TAP_LIMIT, high: TAP_LIMIT } as const satisfies Partial<AttackVariable>;

/** The domain of a tap's values. */
export const tapDomain = ({ logMel }: victim.Tap): attack.Domain =>
  logMel === undefined ? attack.Domain.DOMAIN_FEATURES : attack.Domain.DOMAIN_LOG_MEL;

/** A budget at a tap says nothing that is of inputs alone. What cannot be used leaves a fault at a field below `field`. */
export function checkTapBudget(
  threatModel: attack.ThreatModel,
  budget: attack.VariableBudget,
  tap: victim.Tap,
  dims: readonly number[] | undefined,
  field: string,
  faults: Faults,
): void {
  const there = dims !== undefined;
  faults.unless(
    there,
    `${field}.variable`,
    `'${tap.name}' has no value of its own for each example; choose another tap`,
  );
  const norm = normName(normOf(threatModel, budget));
  if (norm === 'l0') {
    faults.add(`${field}.norm`, 'is NORM_L0; values of a tap have no range, so that a count of them bounds nothing');
  }
  const { domain, region, frames, weighting, low, high } = budget;
  const ofInputs = {
    region: region !== undefined,
    frames: frames !== undefined,
    weighting: weighting !== attack.Weighting.WEIGHTING_UNSPECIFIED,
    low: low !== undefined,
    high: high !== undefined,
  };
  for (const [part, given] of Object.entries(ofInputs)) {
    faults.unless(!given, `${field}.${part}`, `is for inputs; '${tap.name}' is a tap: leave it out`);
  }
  const actual = tapDomain(tap);
  const fits = domain === attack.Domain.DOMAIN_UNSPECIFIED || domain === actual;
  faults.unless(
    fits,
    `${field}.domain`,
    `is ${attack.domainToJSON(domain)}; '${tap.name}' holds ${attack.domainToJSON(actual)}`,
  );
}
