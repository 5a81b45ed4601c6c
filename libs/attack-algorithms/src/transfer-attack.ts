import { attack, pickRows, type victim } from '@faultline/contracts';
import { type Tensors, type Victim, verdictTolerance } from '@faultline/victim';
import { AttackRequestError, Faults } from './faults.ts';
import { DEACTIVATE_ALL, type Goal } from './goals.ts';
import { type AttackRun, checkRun } from './request.ts';
import {
  type AttackEvent,
  type AttackOptions,
  ModelMismatchError,
  type RungCandidates,
  runAttack,
} from './run-attack.ts';

/** Who is asked for gradients, and who is to be deceived. */
export interface TransferVictims {
  readonly surrogate: Victim;
  readonly target: Victim;
}

/**
 * Transfer: crafts on a surrogate, all steps at each rung, and asks the target once for each candidate. Results carry the margins of the target, and rungs that stop early hold what reaches the
 * goal on the target alone. The run's `modelSha256` pins the target. What the surrogate's loops told is no evidence about the target, and is left out. The cost counts the evaluations of both.
 *
 * @throws AttackRequestError where the attack needs no surrogate, or the victims differ in inputs or labels; ModelMismatchError for another target than the pinned one; and what
 * `runAttack` throws.
 */
export async function* transferAttack(
  { surrogate, target }: TransferVictims,
  run: AttackRun,
  options: AttackOptions = {},
): AsyncGenerator<AttackEvent> {
  const { signal } = options;
  const description = await target.describe({ signal });
  const { card } = description;
  const { card: crafting } = await surrogate.describe({ signal });
  if (run.modelSha256 !== '' && run.modelSha256 !== card.sha256)
    throw new ModelMismatchError(`the run is pinned to model ${run.modelSha256} but the target holds ${card.sha256}`);
  const { goal } = checkRun(run, description);
  checkAlike(card, crafting);
  const { threatModel } = run;
  const never = attack.Stopping.STOPPING_NEVER;
  const whole = { ...threatModel, rungs: threatModel.rungs.map((rung) => ({ ...rung, stopping: never })) };
  const reached = new Map<number, number>();
  let asked = 0;
  for await (const event of runAttack(surrogate, { ...run, threatModel: whole, modelSha256: '' }, options)) {
    if (event.kind === 'result') {
      const { logits, cost } = await target.predict(candidateInputs(event.result, run), { signal });
      asked += cost.forwardExamples;
      const result = { ...event.result, margins: margins(event.result, logits.data, run, card, goal) };
      const kept = keptRows(result, threatModel, verdictTolerance(card), reached);
      if (kept.length > 0) yield { kind: 'result', result: rowsOfResult(result, kept) };
    } else if (event.kind === 'cost') {
      const { forwardExamples, gradientExamples } = event.cost;
      yield { kind: 'cost', cost: { forwardExamples: forwardExamples + asked, gradientExamples } };
    } else if (event.kind === 'progress') yield event;
  }
}

function checkAlike(target: victim.Card, surrogate: victim.Card): void {
  const faults = new Faults();
  const inputsOf = ({ inputs }: victim.Card) => JSON.stringify(inputs.toSorted((a, b) => a.name.localeCompare(b.name)));
  const labelsOf = ({ labels }: victim.Card) => JSON.stringify(labels.map(({ label }) => label));
  const field = 'threat_model.surrogate';
  const unlike = (what: string) =>
    `'${surrogate.name}' has other ${what} than the victim '${target.name}'; name one with the same`;
  faults.unless(inputsOf(target) === inputsOf(surrogate), field, unlike('inputs'));
  faults.unless(labelsOf(target) === labelsOf(surrogate), field, unlike('labels'));
  if (faults.any) throw new AttackRequestError(faults.violations);
}

/** Rows that belong to the result: of a rung that stops early those that reach the goal on the target, at no smaller rung. */
function keptRows(
  { rung, clips, margins: found }: RungCandidates,
  { rungs }: attack.ThreatModel,
  tolerance: number,
  reached: Map<number, number>,
): number[] {
  const rows = [...clips.keys()];
  const isEarly = rungs[rung]?.stopping === attack.Stopping.STOPPING_EARLY;
  const isReached = (row: number) => (found[row] ?? Number.NaN) <= -tolerance;
  const smaller = (row: number) => (reached.get(clips[row] ?? -1) ?? Number.POSITIVE_INFINITY) < rung;
  const kept = isEarly ? rows.filter((row) => isReached(row) && !smaller(row)) : rows;
  for (const [row, clip] of clips.entries()) if (isReached(row) && !smaller(row)) reached.set(clip, rung);
  return kept;
}

function rowsOfResult(result: RungCandidates, rows: readonly number[]): RungCandidates {
  if (rows.length === result.clips.length) return result;
  const { rung, clips, adversarial, margins: found } = result;
  return {
    rung,
    clips: rows.flatMap((row) => clips[row] ?? []),
    adversarial: new Map(Array.from(adversarial, ([name, tensor]) => [name, pickRows(tensor, rows)])),
    margins: rows.flatMap((row) => found[row] ?? []),
  };
}

/** Every input of the target for the rows of a result: crafted ones, and the clean ones of their clips. */
function candidateInputs({ clips, adversarial }: RungCandidates, { inputs }: AttackRun): Tensors {
  return new Map(Array.from(inputs, ([name, clean]) => [name, adversarial.get(name) ?? pickRows(clean, clips)]));
}

/** Margins of the goal on the target, one a row. */
function margins(
  { clips }: RungCandidates,
  logits: Float32Array,
  { targets }: AttackRun,
  { labels }: victim.Card,
  goal: Goal = DEACTIVATE_ALL,
): number[] {
  return clips.map((clip, row) => {
    const above = labels.map(({ threshold }, label) => (logits[row * labels.length + label] ?? Number.NaN) - threshold);
    const isTrue = (label: number) => targets.data[clip * labels.length + label] === 1;
    return marginOf(goal, above, isTrue);
  });
}

/** @param above logits above their thresholds, by label. */
function marginOf(goal: Goal, above: readonly number[], isTrue: (label: number) => boolean): number {
  const trueOnes = above.filter((_, label) => isTrue(label));
  switch (goal.kind) {
    case 'deactivate all':
      return Math.max(...trueOnes);
    case 'deactivate one':
      return goal.label === undefined ? Math.min(...trueOnes) : (above[goal.label] ?? Number.NaN);
    case 'fabricate one': {
      const falseOnes = above.filter((_, label) => !isTrue(label));
      return goal.label === undefined ? -Math.max(...falseOnes) : -(above[goal.label] ?? Number.NaN);
    }
    default:
      throw new RangeError(`transfer knows labels alone, and cannot tell whether '${goal.kind}' is reached`);
  }
}
