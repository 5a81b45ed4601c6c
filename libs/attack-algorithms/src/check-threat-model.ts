import { attack, elementCount, type victim } from '@faultline/contracts';
import { exampleDims, valueRange } from '@faultline/victim';
import type { AttackDefinition, AttackVariable, NormName } from './attack.ts';
import { catalogue } from './catalogue.ts';
import type { Faults } from './faults.ts';

/** Limits of a threat model, as the contract states them. */
const MAX_RUNGS = 16;
const MAX_STEPS = 10_000;
const MAX_SEED = Number.MAX_SAFE_INTEGER;

/** Beyond this, restarts find next to nothing and a typo costs a day. */
const MAX_RESTARTS = 1_000;

/** A variable with its budget at scale 1. */
export interface BudgetedVariable extends AttackVariable {
  readonly rho: number;
}

/** A norm's short name, or undefined for one that is not known. */
export function normName(norm: attack.Norm): NormName | undefined {
  if (norm === attack.Norm.NORM_LINF) return 'linf';
  return norm === attack.Norm.NORM_L2 ? 'l2' : undefined;
}

const isWithin = (value: number, low: number, high: number) => Number.isInteger(value) && value >= low && value <= high;

/** The attack and its norm, where both are known and fit each other. */
export function checkAttack(
  threatModel: attack.ThreatModel,
  faults: Faults,
): { readonly definition: AttackDefinition; readonly norm: NormName } | undefined {
  const { attack: name, restarts, seed, steps } = threatModel;
  const definition = catalogue.get(name);
  const known = [...catalogue.keys()].join(', ');
  if (definition === undefined)
    faults.add('threat_model.attack', `'${name}' is not in the catalogue; use one of ${known}`);
  const norm = normName(threatModel.norm);
  if (norm === undefined) faults.add('threat_model.norm', 'is not given; use NORM_LINF or NORM_L2');
  const stepsFit = definition?.whiteBox !== true || isWithin(steps, 1, MAX_STEPS);
  faults.unless(stepsFit, 'threat_model.steps', `is ${steps}; give 1 to ${MAX_STEPS}`);
  const restartsFit = isWithin(restarts, 1, MAX_RESTARTS);
  faults.unless(restartsFit, 'threat_model.restarts', `is ${restarts}; give 1 to ${MAX_RESTARTS}`);
  const seedFits = isWithin(seed, 0, MAX_SEED);
  faults.unless(seedFits, 'threat_model.seed', `is ${seed}; give an integer from 0, below 2^53`);
  if (definition === undefined || norm === undefined) return undefined;
  const offered = definition.norms.join(', ');
  const fits = definition.norms.includes(norm);
  faults.unless(fits, 'threat_model.norm', `'${name}' has no ${norm} form; it has ${offered}`);
  return { definition, norm };
}

/** Rungs ascend, and each says when it stops. */
export function checkLadder({ rungs }: attack.ThreatModel, faults: Faults): void {
  const count = rungs.length;
  faults.unless(isWithin(count, 1, MAX_RUNGS), 'threat_model.rungs', `has ${count} rungs; give 1 to ${MAX_RUNGS}`);
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

/** The variables as the attacks take them; those that are no input of the victim are left out. */
export function checkVariables(
  { variables }: attack.ThreatModel,
  card: victim.Card,
  masks: ReadonlyMap<string, Float32Array>,
  faults: Faults,
): BudgetedVariable[] {
  faults.unless(variables.length > 0, 'threat_model.variables', 'is empty; name at least one input to change');
  const inputs = card.inputs.map(({ name }) => name).join(', ');
  const checked: BudgetedVariable[] = [];
  for (const [index, { variable, rho }] of variables.entries()) {
    const field = `threat_model.variables[${index}]`;
    faults.unless(Number.isFinite(rho) && rho > 0, `${field}.rho`, `is ${rho}; give a number above 0`);
    const twice = checked.some(({ name }) => name === variable);
    faults.unless(!twice, `${field}.variable`, `'${variable}' is named twice`);
    const input = card.inputs.find(({ name }) => name === variable);
    if (input === undefined) {
      faults.add(`${field}.variable`, `'${variable}' is no input of victim '${card.name}', which takes ${inputs}`);
      continue;
    }
    const dims = exampleDims(input);
    const mask = masks.get(variable);
    if (mask !== undefined) checkMask(variable, mask, elementCount(dims), faults);
    checked.push({ name: variable, dims, ...valueRange(input), mask, rho });
  }
  return checked;
}

function checkMask(variable: string, mask: Float32Array, elements: number, faults: Faults): void {
  const usable = mask.length === elements && mask.every((value) => value === 0 || value === 1);
  faults.unless(usable, `masks['${variable}']`, `must hold ${elements} values, each 0 or 1`);
}
