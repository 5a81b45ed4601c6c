import { attack, type DenseTensor, elementCount, type victim } from '@faultline/contracts';
import type { TapDescription, Tensors, VictimDescription } from '@faultline/victim';
import { checkDigests, checkInputs, checkTapValues, checkTargets } from './check-batch.ts';
import { checkGoal } from './check-goal.ts';
import {
  type CheckedAttack,
  checkAttack,
  checkLadder,
  checkMixture,
  checkSurrogate,
  checkTapAttack,
  checkVariables,
} from './check-threat-model.ts';
import { AttackRequestError, Faults } from './faults.ts';
import type { Goal } from './goals.ts';
import { LOSSES, lossFault } from './losses.ts';
import type { ScaledVariable } from './minimum-norm.ts';

/** What `runAttack` is asked for. */
export interface AttackRun {
  readonly threatModel: attack.ThreatModel;
  /** SHA-256 of the model, pinned for the run; empty: that of the victim as it is now. */
  readonly modelSha256: string;
  /** Every input of the victim, attacked or not: [clips, ...]; frames may be uint8 (divided by 255). */
  readonly inputs: Tensors;
  /** Clean values of attacked taps, float32 [clips, ...], from which perturbations are measured. Default: they are read first. */
  readonly taps?: Tensors | undefined;
  /** float32 [clips, labels], 1 at the true labels, 0 elsewhere. */
  readonly targets: DenseTensor;
  /** Lower-case hexadecimal SHA-256 of each clip's media; keys its noise. */
  readonly clipSha256: readonly string[];
  /** By variable: 1 where a coordinate may change, 0 where not; the coordinates of one example. Default: all may. */
  readonly masks?: ReadonlyMap<string, Float32Array> | undefined;
}

/** A request after its checks, in the terms of the algorithms; `norm` is that of the first variable. */
export interface CheckedRun extends CheckedAttack {
  readonly variables: readonly ScaledVariable[];
  readonly clips: number;
  readonly targets: DenseTensor<Float32Array>;
  /** Default: all true labels are to be deactivated. */
  readonly goal?: Goal | undefined;
}

/**
 * Checks a request against the victim that it is for.
 * @throws AttackRequestError naming every field that cannot be used.
 */
export function checkRun(run: AttackRun, { card, taps }: VictimDescription): CheckedRun {
  const faults = new Faults();
  const { threatModel, masks = new Map<string, Float32Array>() } = run;
  const algorithm = checkAttack(threatModel, faults);
  checkLadder(threatModel, faults);
  const alone = threatModel.furtherAttacks.length === 0;
  faults.unless(alone, 'threat_model.further_attacks', 'is for campaigns and scores; ask for one attack at a time');
  const variables = checkVariables(threatModel, card, taps ?? [], masks, faults);
  if (algorithm !== undefined) checkMixture(threatModel, algorithm.definition, faults);
  if (algorithm !== undefined) checkSurrogate(threatModel, algorithm.definition, faults);
  if (algorithm !== undefined) checkTapAttack(algorithm, variables, faults);
  const clips = run.clipSha256.length;
  checkDigests(run.clipSha256, faults);
  checkInputs(run.inputs, card, clips, faults);
  checkTapValues(run.taps ?? new Map(), variables, clips, faults);
  const targets = checkTargets(run.targets, clips, card.labels.length, faults);
  const goal =
    algorithm === undefined || targets === undefined
      ? undefined
      : checkGoal(threatModel, algorithm, card, targets, faults);
  if (algorithm !== undefined) checkShifts(algorithm, threatModel, card, faults);
  if (algorithm !== undefined) checkTaps(algorithm, card.name, taps ?? [], faults);
  if (algorithm !== undefined) checkLoss(algorithm, card.labels.length, goal, faults);
  const isLadder = threatModel.rungs.length > 0 || algorithm?.definition.kind === 'minimum norm';
  const closesIn = isLadder || algorithm === undefined || !('members' in algorithm.definition);
  const bounded = isLadder || threatModel.maxScale !== undefined;
  for (const [index, { weighted }] of variables.entries()) {
    const field = `threat_model.variables[${index}].weighting`;
    faults.unless(bounded || weighted === undefined, field, 'has no largest size; give a ladder, or max_scale');
  }
  faults.unless(closesIn, 'threat_model.rungs', `is empty; '${threatModel.attack}' needs a ladder`);
  if (algorithm?.definition.kind === 'universal') checkUniversal(threatModel, faults);
  // What is undefined has left a fault.
  if (faults.any || algorithm === undefined || targets === undefined) throw new AttackRequestError(faults.violations);
  return { ...algorithm, norm: variables[0]?.norm ?? algorithm.norm, variables, clips, targets, goal };
}

/** What a perturbation for all clips cannot do: search, stop early, or begin anew at random. */
function checkUniversal({ attack: name, rungs, restarts }: attack.ThreatModel, faults: Faults): void {
  faults.unless(rungs.length > 0, 'threat_model.rungs', `is empty; '${name}' needs a ladder`);
  for (const [index, { stopping }] of rungs.entries()) {
    const never = stopping === attack.Stopping.STOPPING_NEVER;
    faults.unless(never, `threat_model.rungs[${index}].stopping`, `'${name}' uses all clips: give STOPPING_NEVER`);
  }
  faults.unless(restarts === 1, 'threat_model.restarts', `is ${restarts}; '${name}' begins at zero: give 1`);
}

/** Onsets are those of a sound. */
function checkShifts(
  { parameters }: CheckedAttack,
  { variables }: attack.ThreatModel,
  card: victim.Card,
  faults: Faults,
) {
  const share = 'shift_fill' in parameters ? Number(parameters.shift_share) : 0;
  const sounds = card.inputs.filter(({ kind }) => kind?.$case === 'waveform').map(({ name }) => name);
  const hears = share === 0 || variables.some(({ variable }) => sounds.includes(variable));
  faults.unless(hears, 'threat_model.parameters', `'shift_share' is ${share}, but no variable is sound; leave it out`);
}

/** Attacks on features need a victim that shows these. */
function checkTaps(
  { definition: { name, taps: needed = [], equalTaps = false } }: CheckedAttack,
  victimName: string,
  taps: readonly TapDescription[],
  faults: Faults,
): void {
  const sizes = needed
    .map((tap) => taps.find((one) => one.name === tap)?.dims)
    .map((dims) => dims && elementCount(dims));
  const has = taps.map((tap) => tap.name).join(', ') || 'none';
  const there = !sizes.includes(undefined);
  const wanted = needed.join(' and ');
  faults.unless(
    there,
    'threat_model.attack',
    `'${name}' reads taps ${wanted}; those of victim '${victimName}' are: ${has}`,
  );
  const alike = !there || !equalTaps || new Set(sizes).size === 1;
  faults.unless(
    alike,
    'threat_model.attack',
    `'${name}' compares taps ${wanted}, which hold ${sizes.join(' and ')} values`,
  );
}

/** Losses that say nothing about so many labels, or about the goal, are refused. */
function checkLoss(
  { definition, parameters }: CheckedAttack,
  labels: number,
  goal: Goal | undefined,
  faults: Faults,
): void {
  const loss = 'loss' in definition.parameters ? LOSSES.find((known) => known === parameters.loss) : undefined;
  const fault = loss === undefined ? undefined : lossFault(loss, labels, goal);
  if (fault !== undefined) faults.add('threat_model.parameters', `'loss' ${fault}`);
}
