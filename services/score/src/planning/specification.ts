import { attack, type score } from '@faultline/contracts';
import type { Clip, ClipSet } from '../clips/manifest.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';

/** What is wrong with one field of a specification, and what to do about it. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** A campaign that can run: every name is resolved, every seed is set. */
export interface PlannedCampaign {
  readonly name: string;
  readonly seed: number;
  readonly victims: readonly VictimUnderTest[];
  readonly threatModels: readonly attack.ThreatModel[];
  readonly clipSet: ClipSet;
  /** The selected clips, in the set's order. */
  readonly clips: readonly Clip[];
}

/** What a specification may refer to. */
export interface Surroundings {
  /** Names in the service's configuration. */
  readonly knownVictims: readonly string[];
  /** Descriptions of those that the specification asks for. */
  readonly victims: ReadonlyMap<string, VictimUnderTest>;
  readonly attacks: readonly attack.AttackDescription[];
  /** Undefined: there is no such set. */
  readonly clipSet: ClipSet | undefined;
}

const MAX_NAME_LENGTH = 128;
const MAX_THREAT_MODELS = 64;
const MAX_RUNGS = 16;
const MAX_STEPS = 10_000;
const MAX_RESTARTS = 100;
const THREAT_MODEL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

type Report = (field: string, description: string) => void;

/** The victims that a specification asks for, in order: those named, or all. */
export function askedVictims(specification: score.CampaignSpecification, known: readonly string[]): readonly string[] {
  return specification.victims.length > 0 ? specification.victims : known;
}

function isWholeBetween(value: number, low: number, high: number): boolean {
  return Number.isSafeInteger(value) && value >= low && value <= high;
}

function checkRungs(rungs: readonly attack.Rung[], path: string, report: Report): void {
  if (rungs.length === 0 || rungs.length > MAX_RUNGS) {
    report(path, `has ${rungs.length} rungs; give 1 to ${MAX_RUNGS} budgets`);
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
  if (model.variables.length === 0) report(`${path}.variables`, 'is empty; name at least one input of the victims');
  const seen = new Set<string>();
  for (const [index, { variable, rho }] of model.variables.entries()) {
    const field = `${path}.variables[${index}]`;
    if (seen.has(variable)) report(`${field}.variable`, `'${variable}' is named twice`);
    seen.add(variable);
    if (!(rho > 0 && Number.isFinite(rho))) report(`${field}.rho`, `is ${rho}; give a finite budget above 0`);
    for (const victim of victims) {
      const inputs = victim.card.inputs.map((input) => input.name);
      if (inputs.includes(variable)) continue;
      report(
        `${field}.variable`,
        `'${variable}' is no input of victim '${victim.name}' (inputs: ${inputs.join(', ')})`,
      );
    }
  }
}

function checkAttack(model: attack.ThreatModel, path: string, around: Surroundings, report: Report): void {
  const description = around.attacks.find((one) => one.name === model.attack);
  if (description === undefined) {
    const known = around.attacks.map((one) => one.name).join(', ');
    report(`${path}.attack`, `'${model.attack}' is not in the catalogue (known: ${known})`);
  }
  if (model.norm !== attack.Norm.NORM_LINF && model.norm !== attack.Norm.NORM_L2) {
    report(`${path}.norm`, 'is not set; give NORM_LINF or NORM_L2');
  } else if (description !== undefined && !description.norms.includes(model.norm)) {
    report(`${path}.norm`, `attack '${model.attack}' does not offer ${attack.normToJSON(model.norm)}`);
  }
}

function checkThreatModel(
  model: attack.ThreatModel,
  path: string,
  around: Surroundings,
  victims: readonly VictimUnderTest[],
  report: Report,
): void {
  if (!THREAT_MODEL_NAME.test(model.name)) {
    report(`${path}.name`, `is '${model.name}'; use 1 to 64 letters, digits, dots, hyphens and underscores`);
  }
  checkVariables(model, path, victims, report);
  checkAttack(model, path, around, report);
  checkRungs(model.rungs, `${path}.rungs`, report);
  if (!isWholeBetween(model.steps, 1, MAX_STEPS)) {
    report(`${path}.steps`, `is ${model.steps}; give 1 to ${MAX_STEPS} gradient steps`);
  }
  if (!isWholeBetween(model.restarts, 1, MAX_RESTARTS)) {
    report(`${path}.restarts`, `is ${model.restarts}; give 1 to ${MAX_RESTARTS}`);
  }
  if (!isWholeBetween(model.seed, 0, Number.MAX_SAFE_INTEGER)) {
    report(`${path}.seed`, `is ${model.seed}; give a whole number from 0 to below 2^53`);
  }
}

function checkLabels(clips: readonly Clip[], victims: readonly VictimUnderTest[], report: Report): void {
  for (const victim of victims) {
    for (const clip of clips) {
      const unknown = clip.labels.find((label) => !victim.labelIndex.has(label));
      if (unknown === undefined) continue;
      report(
        'specification.clips.set',
        `clip '${clip.id}' has label '${unknown}', which victim '${victim.name}' lacks`,
      );
      break;
    }
  }
}

function resolveVictims(
  specification: score.CampaignSpecification,
  around: Surroundings,
  report: Report,
): readonly VictimUnderTest[] {
  const names = askedVictims(specification, around.knownVictims);
  if (names.length === 0) report('specification.victims', 'the service has no victims configured');
  const victims: VictimUnderTest[] = [];
  for (const [index, name] of names.entries()) {
    const victim = around.victims.get(name);
    const field = `specification.victims[${index}]`;
    if (names.indexOf(name) !== index) report(field, `'${name}' is named twice`);
    else if (victim !== undefined) victims.push(victim);
    else report(field, `'${name}' is not a known victim (known: ${around.knownVictims.join(', ')})`);
  }
  return victims;
}

/**
 * Turns a specification into a campaign that can run, or says everything that is wrong with it.
 */
export function planCampaign(
  specification: score.CampaignSpecification,
  around: Surroundings,
): { readonly plan: PlannedCampaign } | { readonly violations: readonly Violation[] } {
  const violations: Violation[] = [];
  const report: Report = (field, description) => violations.push({ field, description });
  const { name, seed, threatModels } = specification;
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) {
    report('specification.name', `has ${name.length} characters; give 1 to ${MAX_NAME_LENGTH}`);
  }
  if (!isWholeBetween(seed, 0, Number.MAX_SAFE_INTEGER)) {
    report('specification.seed', `is ${seed}; give a whole number from 0 to below 2^53`);
  }
  const victims = resolveVictims(specification, around, report);
  if (threatModels.length === 0 || threatModels.length > MAX_THREAT_MODELS) {
    report('specification.threatModels', `has ${threatModels.length} entries; give 1 to ${MAX_THREAT_MODELS}`);
  }
  for (const [index, model] of threatModels.entries()) {
    const path = `specification.threatModels[${index}]`;
    checkThreatModel(model, path, around, victims, report);
    if (threatModels.findIndex((other) => other.name === model.name) !== index) {
      report(`${path}.name`, `'${model.name}' is used twice; results are filed by name`);
    }
  }
  const { clipSet } = around;
  if (clipSet === undefined) {
    report('specification.clips.set', `'${specification.clips?.set ?? ''}' is not a known clip set`);
    return { violations };
  }
  // A set lists its clips so that the first n are a stratified choice for any n.
  const clips = clipSet.clips.slice(0, specification.clips?.limit || undefined);
  checkLabels(clips, victims, report);
  if (violations.length > 0) return { violations };
  const seeded = threatModels.map((model) => ({ ...model, seed: model.seed === 0 ? seed : model.seed }));
  return { plan: { name, seed, victims, threatModels: seeded, clipSet, clips } };
}
