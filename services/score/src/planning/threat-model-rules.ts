import { attack } from '@faultline/contracts';
import { labelRule, sameGoal } from '../judge/goal.ts';
import { gradientOf } from '../judge/gradient.ts';
import { isKnownNorm } from '../judge/names.ts';
import { attackedTaps } from '../peers/clean-taps.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { checkUniversal } from '../universal/planned-universal.ts';
import { namedAttacks } from './planned-attacks.ts';
import { isWholeBetween, type Report } from './violations.ts';

const MAX_RUNGS = 16;
const MAX_STEPS = 10_000;
const MAX_RESTARTS = 100;
const MAX_ATTACKS = 16;
const THREAT_MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ATTACK_NAME = THREAT_MODEL_NAME;

function checkRungs({ rungs, maxScale }: attack.ThreatModel, model: string, report: Report): void {
  const path = `${model}.rungs`;
  if (rungs.length > MAX_RUNGS) report(path, `has ${rungs.length} rungs; give up to ${MAX_RUNGS} budgets`);
  if (rungs.length > 0 && maxScale !== undefined) {
    report(`${model}.maxScale`, 'is given beside rungs; it bounds searches, which have none');
  }
  if (maxScale !== undefined && !(maxScale > 0 && Number.isFinite(maxScale))) {
    report(`${model}.maxScale`, `is ${maxScale}; give a finite scale above 0`);
  }
  for (const [index, rung] of rungs.entries()) {
    const previous = rungs[index - 1];
    if (!(rung.scale >= 0 && Number.isFinite(rung.scale))) {
      report(`${path}[${index}].scale`, `is ${rung.scale}; give a finite scale of at least 0`);
    } else if (previous !== undefined && !(rung.scale > previous.scale)) {
      report(
        `${path}[${index}].scale`,
        `is ${rung.scale} after ${previous.scale}; sort the ladder, ascending, no repeats`,
      );
    }
    if (rung.stopping !== attack.Stopping.STOPPING_EARLY && rung.stopping !== attack.Stopping.STOPPING_NEVER) {
      report(`${path}[${index}].stopping`, 'is not set; give STOPPING_EARLY or STOPPING_NEVER');
    }
  }
  if (rungs.at(-1)?.scale === 0) report(path, 'ends at scale 0; give at least one budget above 0');
}

function checkVariables(model: attack.ThreatModel, path: string, victims: readonly VictimUnderTest[], report: Report) {
  if (model.variables.length === 0)
    report(`${path}.variables`, 'is empty; name at least one input or tap of the victims');
  const seen = new Set<string>();
  for (const [index, { variable, rho }] of model.variables.entries()) {
    const field = `${path}.variables[${index}]`;
    if (seen.has(variable)) report(`${field}.variable`, `'${variable}' is named twice`);
    seen.add(variable);
    if (!(rho > 0 && Number.isFinite(rho))) report(`${field}.rho`, `is ${rho}; give a finite budget above 0`);
    for (const victim of victims) {
      if (victim.dims.has(variable)) continue;
      const [inputs, taps] = [victim.card.inputs, victim.card.taps].map((some) => some.map(({ name }) => name));
      const known = `inputs: ${inputs?.join(', ')}; taps: ${taps?.join(', ') || 'none'}`;
      report(`${field}.variable`, `'${variable}' is no input or tap of victim '${victim.name}' (${known})`);
    }
  }
}

/** What a parameter must be; empty when the given value is that. */
function parameterProblem(given: attack.AttackParameter, known: attack.ParameterDescription): string {
  const { type } = known;
  if (type?.$case === 'number') {
    const { minimum, maximum, whole } = type.value;
    const wanted = `give a ${whole ? 'whole ' : ''}number from ${minimum} to ${maximum}`;
    if (given.value?.$case !== 'number') return `is not a number; ${wanted}`;
    const { value } = given.value;
    const fits = value >= minimum && value <= maximum && (!whole || Number.isInteger(value));
    return fits ? '' : `is ${value}; ${wanted}`;
  }
  if (type?.$case === 'choice') {
    const wanted = `give one of ${type.value.values.join(', ')}`;
    if (given.value?.$case !== 'choice') return `is not a choice; ${wanted}`;
    return type.value.values.includes(given.value.value) ? '' : `is '${given.value.value}'; ${wanted}`;
  }
  return '';
}

/** What an attack is asked for, first or further: where its fields stand, and what is in them. */
type AskedAttack = ReturnType<typeof namedAttacks>[number];

function checkParameters(
  asked: AskedAttack,
  path: string,
  description: attack.AttackDescription,
  report: Report,
): void {
  const known = description.parameters.map(({ name }) => name).join(', ') || 'none';
  for (const [index, given] of asked.parameters.entries()) {
    const field = `${path}.parameters[${index}]`;
    const parameter = description.parameters.find(({ name }) => name === given.name);
    if (asked.parameters.findIndex(({ name }) => name === given.name) !== index) {
      report(`${field}.name`, `'${given.name}' is given twice`);
    }
    if (parameter === undefined) {
      report(`${field}.name`, `'${given.name}' is no parameter of attack '${asked.attack}' (known: ${known})`);
      continue;
    }
    const problem = parameterProblem(given, parameter);
    if (problem !== '') report(field, `'${given.name}' ${problem}`);
  }
}

/** An attack that needs gradients cannot do without them. */
function checkGradients(
  model: attack.ThreatModel,
  path: string,
  description: attack.AttackDescription,
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  if (description.knowledge !== attack.AttackKnowledge.ATTACK_KNOWLEDGE_GRADIENTS) return;
  for (const victim of victims) {
    if (gradientOf(victim, model) !== 'black-box') continue;
    const remedy = 'choose an attack that needs none, or leave the victim out';
    report(`${path}.attack`, `'${description.name}' needs gradients, which victim '${victim.name}' has not; ${remedy}`);
  }
}

/** A goal is one that the attack can be told. */
function checkAskedGoal(
  { goal }: attack.ThreatModel,
  asked: AskedAttack,
  path: string,
  { goals }: attack.AttackDescription,
  report: Report,
): void {
  if (goal === undefined || goals.length === 0 || goals.includes(goal.kind)) return;
  if (goal.kind === attack.GoalKind.GOAL_KIND_UNSPECIFIED) return;
  const [wanted, taken] = [
    attack.goalKindToJSON(goal.kind),
    goals.map((kind) => attack.goalKindToJSON(kind)).join(', '),
  ];
  report(`${path}.attack`, `'${asked.attack}' cannot be told the goal ${wanted}; it takes ${taken}`);
}

/** Norms of variables are among those that the attack can be told side by side; the rest of a budget is the attack's to check. */
function checkOwnBudgets(
  model: attack.ThreatModel,
  asked: AskedAttack,
  path: string,
  { mixes }: attack.AttackDescription,
  report: Report,
): void {
  for (const [index, { norm }] of model.variables.entries()) {
    if (norm === attack.Norm.NORM_UNSPECIFIED || norm === model.norm) continue;
    if (isKnownNorm(norm) && mixes.includes(norm) && mixes.includes(model.norm)) continue;
    const known = mixes.map((one) => attack.normToJSON(one)).join(', ') || 'none';
    report(
      asked.path === '' ? `${path}.variables[${index}].norm` : `${path}.attack`,
      `is ${attack.normToJSON(norm)} beside ${attack.normToJSON(model.norm)}; '${asked.attack}' takes side by side: ${known}`,
    );
  }
}

/** A surrogate is named for attacks that craft on one; how far a search got there says nothing about the victim. */
function checkSurrogate(
  { rungs }: attack.ThreatModel,
  asked: AskedAttack,
  path: string,
  { needsSurrogate }: attack.AttackDescription,
  report: Report,
): void {
  const { attack: name, surrogate } = asked;
  if (!needsSurrogate && surrogate !== '') {
    const remedy = `'${name}' crafts on the victim itself; leave it out, or use transfer`;
    report(`${path}.surrogate`, `is '${surrogate}', and ${remedy}`);
  }
  if (!needsSurrogate) return;
  if (surrogate === '') report(`${path}.surrogate`, `is empty; '${name}' crafts on another victim: name it`);
  if (rungs.length === 0) report(`${path}.attack`, `'${name}' needs a ladder: give budgets`);
}

/** Values of taps have no range, which some attacks need. */
function checkTaps(
  model: attack.ThreatModel,
  path: string,
  { name, attacksTaps }: attack.AttackDescription,
  attacks: readonly attack.AttackDescription[],
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  if (attacksTaps) return;
  const taps = new Set(victims.flatMap((victim) => attackedTaps(victim, model)));
  if (taps.size === 0) return;
  const able = attacks.filter((one) => one.attacksTaps).map((one) => one.name);
  const remedy = `use one of ${able.join(', ')}`;
  report(`${path}.attack`, `'${name}' needs values with a range, and ${[...taps].join(', ')} is a tap: ${remedy}`);
}

function checkAttack(
  model: attack.ThreatModel,
  asked: AskedAttack,
  path: string,
  attacks: readonly attack.AttackDescription[],
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  const description = attacks.find((one) => one.name === asked.attack);
  if (description === undefined) {
    const known = attacks.map((one) => one.name).join(', ');
    report(`${path}.attack`, `'${asked.attack}' is not in the catalogue (known: ${known})`);
  } else if (isKnownNorm(model.norm) && !description.norms.includes(model.norm)) {
    const field = asked.path === '' ? 'norm' : 'attack';
    report(`${path}.${field}`, `attack '${asked.attack}' does not offer ${attack.normToJSON(model.norm)}`);
  }
  if (description?.kind === attack.AttackKind.ATTACK_KIND_UNIVERSAL) {
    if (asked.path === '') checkUniversal(model, path, report);
    else {
      const remedy = 'each clip is judged by itself here: put it under a threat model of its own';
      report(`${path}.attack`, `'${asked.attack}' crafts one perturbation for all clips; ${remedy}`);
    }
  } else if (model.craft !== undefined && asked.path === '') {
    const remedy = 'leave it out, or use an attack of one perturbation for all clips';
    report(`${path}.craft`, `says which clips craft, and '${asked.attack}' attacks each by itself; ${remedy}`);
  }
  const most = description?.mostVariables ?? 0;
  if (most > 0 && model.variables.length > most) {
    report(
      `${path}.attack`,
      `'${asked.attack}' attacks ${most} variable at once; leave the others out, or use another`,
    );
  }
  if (description !== undefined) {
    checkParameters(asked, path, description, report);
    checkOwnBudgets(model, asked, path, description, report);
    checkTaps(model, path, description, attacks, victims, report);
    checkAskedGoal(model, asked, path, description, report);
    checkGradients(model, path, description, victims, report);
    checkSurrogate(model, asked, path, description, report);
  }
  if (!isWholeBetween(asked.steps, 1, MAX_STEPS)) {
    report(`${path}.steps`, `is ${asked.steps}; give 1 to ${MAX_STEPS} gradient steps`);
  }
  if (!isWholeBetween(asked.restarts, 1, MAX_RESTARTS)) {
    report(`${path}.restarts`, `is ${asked.restarts}; give 1 to ${MAX_RESTARTS}`);
  }
}

/** The attacks of a threat model, each of its own name, for results are filed by it. */
function checkAttacks(
  model: attack.ThreatModel,
  path: string,
  attacks: readonly attack.AttackDescription[],
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  if (!isKnownNorm(model.norm)) report(`${path}.norm`, 'is not set; give NORM_LINF, NORM_L2, NORM_L1 or NORM_L0');
  if (model.furtherAttacks.length >= MAX_ATTACKS) {
    report(`${path}.furtherAttacks`, `has ${model.furtherAttacks.length} entries; give up to ${MAX_ATTACKS - 1}`);
  }
  const asked = namedAttacks(model);
  for (const [index, one] of asked.entries()) {
    const field = `${path}${one.path}`;
    checkAttack(model, one, field, attacks, victims, report);
    const nameField = index === 0 ? `${path}.attackName` : `${field}.name`;
    if (attacks.some(({ name }) => name === one.attack) && !ATTACK_NAME.test(one.name)) {
      report(nameField, `is '${one.name}'; use 1 to 64 letters, digits, dots, hyphens and underscores`);
    }
    if (asked.findIndex(({ name }) => name === one.name) !== index) {
      report(nameField, `'${one.name}' is used twice; results are filed by name: give this attack one of its own`);
    }
  }
}

/** A goal names what it needs, and what every victim has. */
function checkGoal(
  { goal }: attack.ThreatModel,
  path: string,
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  if (goal === undefined) return;
  const { kind, label, k } = goal;
  const rule = labelRule(kind);
  if (label !== '' && rule === 'none') report(`${path}.label`, `is '${label}'; this kind of goal takes none`);
  if (label === '' && rule === 'required')
    report(`${path}.label`, 'is empty; name the label that is to be the highest');
  const isTopK = kind === attack.GoalKind.GOAL_KIND_TOP_K;
  if (isTopK ? k < 1 : k !== 0) {
    report(`${path}.k`, `is ${k}; ${isTopK ? 'give at least 1' : 'only GOAL_KIND_TOP_K takes one'}`);
  }
  for (const { name, labelIndex } of victims) {
    if (label !== '' && rule !== 'none' && !labelIndex.has(label)) {
      report(`${path}.label`, `'${label}' is no label of victim '${name}'`);
    }
  }
}

/** Checks a threat model at `path` of a request against the victims that it is for. */
export function checkThreatModel(
  model: attack.ThreatModel,
  path: string,
  attacks: readonly attack.AttackDescription[],
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  if (!THREAT_MODEL_NAME.test(model.name)) {
    report(`${path}.name`, `is '${model.name}'; use 1 to 64 letters, digits, dots, hyphens and underscores`);
  }
  checkVariables(model, path, victims, report);
  checkAttacks(model, path, attacks, victims, report);
  checkRungs(model, path, report);
  checkGoal(model, `${path}.goal`, victims, report);
  if (!isWholeBetween(model.seed, 0, Number.MAX_SAFE_INTEGER)) {
    report(`${path}.seed`, `is ${model.seed}; give a whole number from 0 to below 2^53`);
  }
}

/** Whether two threat models differ in their attacks, ladders or seeds alone. */
function sameThreat(first: attack.ThreatModel, second: attack.ThreatModel): boolean {
  const terms = ({ variables, norm }: attack.ThreatModel) =>
    JSON.stringify([
      norm,
      variables
        .map((one) => attack.VariableBudget.toJSON(one))
        .toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)),
    ]);
  return terms(first) === terms(second) && sameGoal(first.goal, second.goal);
}

/**
 * Checks the threat models of a request; there may be `most`, each of its own name, for results are filed by it.
 * @param path of the list, for instance "specification.threatModels".
 */
export function checkThreatModels(
  models: readonly attack.ThreatModel[],
  path: string,
  most: number,
  attacks: readonly attack.AttackDescription[],
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  if (models.length === 0 || models.length > most) {
    report(path, `has ${models.length} entries; give 1 to ${most}`);
  }
  for (const [index, model] of models.entries()) {
    checkThreatModel(model, `${path}[${index}]`, attacks, victims, report);
    if (models.findIndex((other) => other.name === model.name) !== index) {
      report(`${path}[${index}].name`, `'${model.name}' is used twice; results are filed by name`);
    }
  }
}

/** Threat models of a campaign differ in more than their attacks: what attacks find counts over all of one threat model. */
export function checkDistinct(models: readonly attack.ThreatModel[], path: string, report: Report): void {
  for (const [index, model] of models.entries()) {
    const same = models.slice(0, index).find((other) => sameThreat(other, model));
    if (same === undefined) continue;
    const remedy = 'add its attack to that one, so that both share what they find';
    report(`${path}[${index}]`, `has the variables, norm and goal of '${same.name}'; ${remedy}`);
  }
}

/** Threat models with seeds: the request's where they have none. */
export function seeded(models: readonly attack.ThreatModel[], seed: number): attack.ThreatModel[] {
  return models.map((model) => ({ ...model, seed: model.seed === 0 ? seed : model.seed }));
}
