import { attack, elementCount, type victim } from '@faultline/contracts';
import { exampleDims, normName, normOf, type TapDescription, variableSubject } from '@faultline/victim';
import type { NormName } from './attack.ts';
import { defaultValues, type ParameterValues, parameterFault } from './attack-parameters.ts';
import { type CatalogueRow, catalogue, needsSurrogate } from './catalogue.ts';
import { checkRegion } from './check-region.ts';
import { checkTapBudget, TAP_RANGE } from './check-tap-budget.ts';
import { checkOwnBudget, ownParts } from './check-variable-budget.ts';
import type { Faults } from './faults.ts';
import type { ScaledVariable } from './minimum-norm.ts';

/** Limits of a threat model, as the contract states them. */
const MAX_RUNGS = 16;
const MAX_STEPS = 10_000;
const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** Beyond this, restarts find next to nothing and a typo costs a day. */
const MAX_RESTARTS = 1_000;

/** An attack with everything that it is told. */
export interface CheckedAttack {
  readonly definition: CatalogueRow;
  readonly norm: NormName;
  /** One value of each of its parameters. */
  readonly parameters: ParameterValues;
}

const DOMAINS = { waveform: attack.Domain.DOMAIN_AMPLITUDE, frames: attack.Domain.DOMAIN_PIXELS } as const;

const isWithin = (value: number, low: number, high: number) => Number.isInteger(value) && value >= low && value <= high;

/** The attack and its norm, where both are known and fit each other. */
export function checkAttack(threatModel: attack.ThreatModel, faults: Faults): CheckedAttack | undefined {
  const { attack: name, restarts, seed, steps } = threatModel;
  const definition = catalogue.get(name);
  const known = [...catalogue.keys()].join(', ');
  if (definition === undefined)
    faults.add('threat_model.attack', `'${name}' is not in the catalogue; use one of ${known}`);
  const norm = normName(threatModel.norm);
  if (norm === undefined)
    faults.add('threat_model.norm', 'is not given; use one that the catalogue names for the attack');
  const onSurrogate = definition !== undefined && needsSurrogate(definition);
  const stepsFit = (definition?.knowledge !== 'gradients' && !onSurrogate) || isWithin(steps, 1, MAX_STEPS);
  faults.unless(stepsFit, 'threat_model.steps', `is ${steps}; give 1 to ${MAX_STEPS}`);
  const restartsFit = isWithin(restarts, 1, MAX_RESTARTS);
  faults.unless(restartsFit, 'threat_model.restarts', `is ${restarts}; give 1 to ${MAX_RESTARTS}`);
  const seedFits = isWithin(seed, 0, MAX_SEED);
  faults.unless(seedFits, 'threat_model.seed', `is ${seed}; give an integer from 0, below 2^53`);
  if (definition === undefined) return undefined;
  const { mostVariables = Number.POSITIVE_INFINITY } = definition;
  const variables = threatModel.variables.length;
  const remedy = `'${name}' attacks ${mostVariables} at once: leave the others out, or use another attack`;
  faults.unless(variables <= mostVariables, 'threat_model.variables', `are ${variables}; ${remedy}`);
  const parameters = checkParameters(threatModel.parameters, definition, faults);
  if (norm === undefined) return undefined;
  const offered = definition.norms.join(', ');
  const fits = definition.norms.includes(norm);
  faults.unless(fits, 'threat_model.norm', `'${name}' has no ${norm} form; it has ${offered}`);
  return { definition, norm, parameters };
}

/** A surrogate is named for attacks that craft on one; how far a search got there says nothing about the victim. */
export function checkSurrogate({ surrogate, rungs }: attack.ThreatModel, row: CatalogueRow, faults: Faults): void {
  const field = 'threat_model.surrogate';
  if (!needsSurrogate(row)) {
    const remedy = `'${row.name}' crafts on the victim itself; leave it out, or use transfer`;
    faults.unless(surrogate === '', field, `is '${surrogate}', and ${remedy}`);
    return;
  }
  faults.unless(surrogate !== '', field, `is empty; '${row.name}' crafts on another victim: name it`);
  faults.unless(rungs.length > 0, 'threat_model.rungs', `is empty; '${row.name}' needs a ladder`);
}

/** The attack's parameters: those that are given, and the defaults of the others. */
function checkParameters(
  given: readonly attack.AttackParameter[],
  { name: algorithm, parameters: specs }: CatalogueRow,
  faults: Faults,
): ParameterValues {
  const values = defaultValues(specs);
  const known = Object.keys(specs);
  for (const [index, { name, value }] of given.entries()) {
    const field = `threat_model.parameters[${index}]`;
    const spec = known.includes(name) ? specs[name] : undefined;
    if (spec === undefined) {
      const offered = known.length === 0 ? 'takes none' : `takes ${known.join(', ')}`;
      faults.add(`${field}.name`, `'${name}' is no parameter of attack '${algorithm}', which ${offered}`);
      continue;
    }
    const twice = given.findIndex((other) => other.name === name) !== index;
    faults.unless(!twice, `${field}.name`, `'${name}' is given twice`);
    const fault = value === undefined ? `is not given; set ${spec.type}` : parameterFault(spec, value.value);
    if (fault === undefined && value !== undefined) values[name] = value.value;
    else faults.add(`${field}.${value?.$case ?? spec.type}`, `'${name}' ${fault}`);
  }
  return values;
}

/** Rungs ascend, and each says when it stops. Without rungs it is a search, whose largest scale may be bounded. */
export function checkLadder({ rungs, attack: name, maxScale }: attack.ThreatModel, faults: Faults): void {
  const count = rungs.length;
  faults.unless(count <= MAX_RUNGS, 'threat_model.rungs', `has ${count} rungs; give up to ${MAX_RUNGS}`);
  const searchesOnly = catalogue.get(name)?.kind === 'minimum norm';
  if (searchesOnly && count > 0) {
    faults.add('threat_model.rungs', `has ${count} rungs; '${name}' looks for the smallest scale by itself: give none`);
  }
  const boundFits = maxScale === undefined || (Number.isFinite(maxScale) && maxScale > 0);
  faults.unless(boundFits, 'threat_model.max_scale', `is ${maxScale}; give a number above 0, or none`);
  if (maxScale !== undefined && count > 0) {
    faults.add('threat_model.max_scale', 'is given beside rungs; it bounds searches, which have none');
  }
  for (const [index, { scale, stopping }] of rungs.entries()) {
    const field = `threat_model.rungs[${index}]`;
    faults.unless(Number.isFinite(scale) && scale >= 0, `${field}.scale`, `is ${scale}; give a number from 0`);
    const below = rungs[index - 1]?.scale ?? 0;
    if (scale < below) {
      faults.add(`${field}.scale`, `is ${scale}, below the rung before it (${below}); sort the ladder ascending`);
    }
    const known = stopping === attack.Stopping.STOPPING_EARLY || stopping === attack.Stopping.STOPPING_NEVER;
    faults.unless(known, `${field}.stopping`, 'is not given; use STOPPING_EARLY or STOPPING_NEVER');
  }
}

/** The variables as the attacks take them; those that are neither input nor tap of the victim are left out. */
export function checkVariables(
  threatModel: attack.ThreatModel,
  card: victim.Card,
  taps: readonly TapDescription[],
  masks: ReadonlyMap<string, Float32Array>,
  faults: Faults,
): ScaledVariable[] {
  const { variables } = threatModel;
  faults.unless(variables.length > 0, 'threat_model.variables', 'is empty; name at least one input to change');
  const checked: ScaledVariable[] = [];
  for (const [index, budget] of variables.entries()) {
    const { variable, rho, region, domain } = budget;
    const field = `threat_model.variables[${index}]`;
    faults.unless(Number.isFinite(rho) && rho > 0, `${field}.rho`, `is ${rho}; give a number above 0`);
    const twice = checked.some(({ name }) => name === variable);
    faults.unless(!twice, `${field}.variable`, `'${variable}' is named twice`);
    const subject = variableSubject(card, variable);
    checkRelative(threatModel, budget, field, faults);
    const isRelative = budget.relative;
    if (subject?.kind === 'tap') {
      const dims = taps.find(({ name }) => name === variable)?.dims;
      const own = masks.get(variable);
      checkTapBudget(threatModel, budget, subject.tap, dims, field, faults);
      if (own !== undefined && dims !== undefined) checkMask(variable, own, elementCount(dims), faults);
      const { stepScale } = budget;
      const norm = normName(normOf(threatModel, budget));
      checked.push({ name: variable, dims: dims ?? [], ...TAP_RANGE, norm, stepScale, mask: own, rho, isRelative });
      continue;
    }
    if (subject === undefined) {
      const [inputs, tapNames] = [card.inputs, card.taps].map((some) => some.map(({ name }) => name).join(', '));
      const known = `inputs ${inputs}; taps ${tapNames || 'none'}`;
      faults.add(`${field}.variable`, `'${variable}' is no input or tap of victim '${card.name}' (${known})`);
      continue;
    }
    const { input } = subject;
    checkDomain(domain, input, `${field}.domain`, faults);
    const dims = exampleDims(input);
    const own = masks.get(variable);
    if (own !== undefined) checkMask(variable, own, elementCount(dims), faults);
    const free = region === undefined ? {} : (checkRegion(region, input, `${field}.region`, faults) ?? {});
    const single = own === undefined || (free.mask === undefined && free.band === undefined);
    faults.unless(single, `masks['${variable}']`, 'comes on top of a region; give one of them');
    const ownBudget = checkOwnBudget(threatModel, budget, input, field, faults);
    // Weighted coefficients stand in the region themselves.
    const place = ownBudget.weighted === undefined ? { mask: own ?? free.mask, band: free.band } : {};
    const placed = own === undefined || ownBudget.weighted === undefined;
    faults.unless(placed, `masks['${variable}']`, 'comes on top of weighted coefficients; give one of them');
    checked.push({ name: variable, dims, ...ownBudget, ...place, rho, isRelative });
  }
  return checked;
}

/** Budgets that differ from variable to variable are for attacks that can be told them. */
export function checkMixture(
  threatModel: attack.ThreatModel,
  { name, mixes = [] }: CatalogueRow,
  faults: Faults,
): void {
  for (const [index, budget] of threatModel.variables.entries()) {
    const field = `threat_model.variables[${index}]`;
    const [part] = ownParts(threatModel, budget);
    if (part === undefined) continue;
    const norms = [threatModel.norm, normOf(threatModel, budget)].flatMap((norm) => normName(norm) ?? []);
    const remedy = mixes.length === 0 ? 'use pgd, apgd, fgsm or mi-fgsm' : `it takes these with ${mixes.join(', ')}`;
    const taken = norms.every((norm) => mixes.includes(norm));
    faults.unless(
      taken,
      `${field}.${part}`,
      `is given; '${name}' takes norms ${norms.join(' and ')} for all variables alike: ${remedy}`,
    );
  }
}

/** Shares are of a clean value as a whole, in a norm that measures it. */
function checkRelative(
  threatModel: attack.ThreatModel,
  budget: attack.VariableBudget,
  field: string,
  faults: Faults,
): void {
  if (!budget.relative) return;
  const counts = normOf(threatModel, budget) === attack.Norm.NORM_L0;
  faults.unless(
    !counts,
    `${field}.relative`,
    'comes with NORM_L0, which counts coordinates; give NORM_LINF, NORM_L2 or NORM_L1',
  );
  const whole = budget.frames === undefined && budget.weighting === attack.Weighting.WEIGHTING_UNSPECIFIED;
  faults.unless(whole, `${field}.relative`, 'comes with frames or a weighting; give one of them');
}

/** Taps are for attacks that can do without a range. */
export function checkTapAttack(
  { definition }: CheckedAttack,
  variables: readonly ScaledVariable[],
  faults: Faults,
): void {
  const attacksTaps = definition.kind !== 'universal' && definition.attacksTaps === true;
  const able = [...catalogue.values()].filter((row) => row.kind !== 'universal' && row.attacksTaps === true);
  const remedy = `use one of ${able.map(({ name }) => name).join(', ')}`;
  for (const [index, { name, isTap = false }] of variables.entries()) {
    const field = `threat_model.variables[${index}].variable`;
    faults.unless(
      !isTap || attacksTaps,
      field,
      `'${name}' is a tap, whose values have no range, which '${definition.name}' needs: ${remedy}`,
    );
  }
}

function checkDomain(domain: attack.Domain, input: victim.InputSpecification, field: string, faults: Faults): void {
  if (domain === attack.Domain.DOMAIN_UNSPECIFIED || input.kind === undefined) return;
  const actual = DOMAINS[input.kind.$case];
  const given = attack.domainToJSON(domain);
  faults.unless(domain === actual, field, `is ${given}; '${input.name}' holds ${attack.domainToJSON(actual)}`);
}

function checkMask(variable: string, mask: Float32Array, elements: number, faults: Faults): void {
  const usable = mask.length === elements && mask.every((value) => value === 0 || value === 1);
  faults.unless(usable, `masks['${variable}']`, `must hold ${elements} values, each 0 or 1`);
}
