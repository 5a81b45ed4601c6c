import { attack, type DenseTensor, elementCount } from '@faultline/contracts';
import { exampleDims, type Tensors, type VictimDescription, valueRange } from '@faultline/victim';
import type { AttackDefinition, AttackVariable, NormName } from './attack.ts';
import { catalogue } from './catalogue.ts';

/** Limits of a threat model, as the contract states them. */
export const MAX_RUNGS = 16;
export const MAX_STEPS = 10_000;
/** Beyond this, restarts find next to nothing and a typo costs a day. */
export const MAX_RESTARTS = 1_000;
const MAX_SEED = 2 ** 53 - 1;
const SHA256 = /^[0-9a-f]{64}$/;

/** What `runAttack` is asked for. */
export interface AttackRun {
  readonly threatModel: attack.ThreatModel;
  /** SHA-256 of the model, pinned for the run; empty: that of the victim as it is now. */
  readonly modelSha256: string;
  /** Every input of the victim, attacked or not: [clips, ...]; frames may be uint8 (divided by 255). */
  readonly inputs: Tensors;
  /** float32 [clips, labels], 1 at the true labels, 0 elsewhere. */
  readonly targets: DenseTensor;
  /** Lower-case hexadecimal SHA-256 of each clip's media; keys its noise. */
  readonly clipSha256: readonly string[];
  /** By variable: 1 where a coordinate may change, 0 where not; the coordinates of one example. Default: all may. */
  readonly masks?: ReadonlyMap<string, Float32Array> | undefined;
}

/** One field that cannot be used: its path in attack.v1alpha1.AttackRequest, and what is wrong and what to do. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** A request that cannot be run, with all its faults. */
export class AttackRequestError extends Error {
  override name = 'AttackRequestError';
  readonly violations: readonly Violation[];

  constructor(violations: readonly Violation[]) {
    super(violations.map(({ field, description }) => `${field}: ${description}`).join('; '));
    this.violations = violations;
  }
}

/** The norm's short name, or undefined for one that is not known. */
export function normName(norm: attack.Norm): NormName | undefined {
  if (norm === attack.Norm.NORM_LINF) return 'linf';
  return norm === attack.Norm.NORM_L2 ? 'l2' : undefined;
}

/** A request after its checks, in the terms of the algorithms. */
export interface CheckedRun {
  readonly definition: AttackDefinition;
  readonly norm: NormName;
  readonly variables: readonly (AttackVariable & { readonly rho: number })[];
  readonly clips: number;
  readonly targets: DenseTensor<Float32Array>;
}

/**
 * Checks a request against the victim that it is for.
 * @throws AttackRequestError naming every field that cannot be used.
 */
export function checkRun(run: AttackRun, { card }: VictimDescription): CheckedRun {
  const faults: Violation[] = [];
  const require = (condition: boolean, field: string, description: string) => {
    if (!condition) faults.push({ field, description });
    return condition;
  };
  const { threatModel } = run;
  const definition = catalogue.get(threatModel.attack);
  require(definition !==
    undefined, 'threat_model.attack', `'${threatModel.attack}' is not in the catalogue; use one of ${[...catalogue.keys()].join(', ')}`);
  const norm = normName(threatModel.norm);
  require(norm !== undefined, 'threat_model.norm', 'is not given; use NORM_LINF or NORM_L2');
  if (definition !== undefined && norm !== undefined) {
    require(definition.norms.includes(
      norm,
    ), 'threat_model.norm', `'${definition.name}' has no ${norm} form; it has ${definition.norms.join(', ')}`);
  }
  checkLadder(threatModel, require);
  const inRange = (value: number, low: number, high: number) =>
    Number.isInteger(value) && value >= low && value <= high;
  if (definition?.whiteBox === true) {
    require(inRange(
      threatModel.steps,
      1,
      MAX_STEPS,
    ), 'threat_model.steps', `is ${threatModel.steps}; give 1 to ${MAX_STEPS}`);
  }
  require(inRange(
    threatModel.restarts,
    1,
    MAX_RESTARTS,
  ), 'threat_model.restarts', `is ${threatModel.restarts}; give 1 to ${MAX_RESTARTS}`);
  require(inRange(
    threatModel.seed,
    0,
    MAX_SEED,
  ), 'threat_model.seed', `is ${threatModel.seed}; give an integer from 0, below 2^53`);

  const clips = run.clipSha256.length;
  require(clips > 0, 'clip_sha256', 'is empty; give the digest of each clip');
  for (const [index, digest] of run.clipSha256.entries()) {
    require(SHA256.test(digest), `clip_sha256[${index}]`, `'${digest}' is not 64 lower-case hexadecimal digits`);
  }
  for (const input of card.inputs) {
    const dims = [clips, ...exampleDims(input)].join(', ');
    const given = run.inputs.get(input.name);
    if (given === undefined)
      faults.push({
        field: 'inputs',
        description: `'${input.name}' is missing; every input of victim '${card.name}' is needed`,
      });
    else
      require(given.dims.join(', ') ===
        dims, `inputs['${input.name}']`, `is [${given.dims.join(', ')}]; ${clips} clips need [${dims}]`);
  }
  for (const [name, tensor] of run.inputs) {
    const input = card.inputs.find((known) => known.name === name);
    if (
      require(input !==
        undefined, 'inputs', `'${name}' is no input of victim '${card.name}', which takes ${card.inputs.map((known) => known.name).join(', ')}`)
    ) {
      checkElements(name, tensor, input === undefined ? { low: 0, high: 0 } : valueRange(input), require);
    }
  }
  const targets = checkTargets(run.targets, clips, card.labels.length, require);
  const variables = checkVariables(run, card, require);
  if (faults.length > 0 || definition === undefined || norm === undefined || targets === undefined) {
    throw new AttackRequestError(faults);
  }
  return { definition, norm, variables, clips, targets };
}

type Require = (condition: boolean, field: string, description: string) => boolean;

function checkLadder({ rungs }: attack.ThreatModel, require: Require): void {
  require(rungs.length >= 1 &&
    rungs.length <= MAX_RUNGS, 'threat_model.rungs', `has ${rungs.length} rungs; give 1 to ${MAX_RUNGS}`);
  for (const [index, { scale, stopping }] of rungs.entries()) {
    const field = `threat_model.rungs[${index}]`;
    require(Number.isFinite(scale) && scale >= 0, `${field}.scale`, `is ${scale}; give a number from 0`);
    const below = rungs[index - 1]?.scale ?? 0;
    require(!(
      scale < below
    ), `${field}.scale`, `is ${scale}, below the rung before it (${below}); sort the ladder ascending`);
    const known = stopping === attack.Stopping.STOPPING_EARLY || stopping === attack.Stopping.STOPPING_NEVER;
    require(known, `${field}.stopping`, 'is not given; use STOPPING_EARLY or STOPPING_NEVER');
  }
}

function checkElements(
  name: string,
  tensor: DenseTensor,
  range: { low: number; high: number },
  require: Require,
): void {
  const { data } = tensor;
  if (data instanceof Uint8Array && range.low === 0) return;
  const field = `inputs['${name}']`;
  if (!require(data instanceof Float32Array, field, 'is neither float32 nor (frames) uint8; send one of these')) return;
  const outside = data.findIndex((value: number | bigint) => !(value >= range.low && value <= range.high));
  require(outside <
    0, field, `holds ${data[outside]} at element ${outside}; its range is [${range.low}, ${range.high}]`);
}

function checkTargets({ dims, data }: DenseTensor, clips: number, labels: number, require: Require) {
  if (!require(data instanceof Float32Array, 'targets', 'is not float32') || !(data instanceof Float32Array))
    return undefined;
  if (
    !require(dims.join() ===
      [
        clips,
        labels,
      ].join(), 'targets', `is [${dims.join(', ')}]; ${clips} clips and ${labels} labels need [${clips}, ${labels}]`)
  ) {
    return undefined;
  }
  require(data.every((value) => value === 0 || value === 1), 'targets', 'holds values other than 0 and 1');
  for (let clip = 0; clip < clips; clip += 1) {
    const row = data.subarray(clip * labels, (clip + 1) * labels);
    require(row.includes(1), 'targets', `clip ${clip} has no true label; leave it out, for it cannot be deactivated`);
  }
  return { dims, data };
}

function checkVariables(run: AttackRun, card: VictimDescription['card'], require: Require) {
  const { variables } = run.threatModel;
  require(variables.length > 0, 'threat_model.variables', 'is empty; name at least one input to change');
  const checked: (AttackVariable & { readonly rho: number })[] = [];
  for (const [index, { variable, rho }] of variables.entries()) {
    const field = `threat_model.variables[${index}]`;
    const input = card.inputs.find(({ name }) => name === variable);
    require(input !==
      undefined, `${field}.variable`, `'${variable}' is no input of victim '${card.name}', which takes ${card.inputs.map(({ name }) => name).join(', ')}`);
    require(Number.isFinite(rho) && rho > 0, `${field}.rho`, `is ${rho}; give a number above 0`);
    require(checked.every(({ name }) => name !== variable), `${field}.variable`, `'${variable}' is named twice`);
    if (input === undefined) continue;
    const dims = exampleDims(input);
    const mask = run.masks?.get(variable);
    const elements = elementCount(dims);
    require(mask === undefined ||
      (mask.length === elements &&
        mask.every(
          (value) => value === 0 || value === 1,
        )), `masks['${variable}']`, `must hold ${elements} values, 0 or 1`);
    checked.push({ name: variable, dims, ...valueRange(input), mask, rho });
  }
  return checked;
}
