import type { AssessedClips, MovingVariable, ProbedClips } from '@faultline/attack-algorithms/sanity';
import { attack, type DenseTensor, inference } from '@faultline/contracts';
import { exampleDims, normName, normOf, valueRange } from '@faultline/victim';
import type { AttackedClip } from '../peers/attack-batch.ts';
import { stackRows } from '../peers/tensor-rows.ts';
import { targetsOf, type VictimUnderTest } from '../peers/victim-under-test.ts';

/** What a look at the victim itself, beside the evidence of attacks, can do under a threat model. */
export interface Reach {
  /** Gradients of the goal's margin can be compared with predictions. */
  readonly canProbe: boolean;
  /** A walk along the decision boundary keeps such budgets. */
  readonly canWalk: boolean;
}

const { GRADIENT_VERDICT_BLACK_BOX } = inference.GradientVerdict;
const { GOAL_KIND_UNSPECIFIED, GOAL_KIND_DEACTIVATE_ALL } = attack.GoalKind;

export function reachOf(victim: VictimUnderTest, model: attack.ThreatModel): Reach {
  const { variables, goal } = model;
  const inputs = victim.card.inputs.map(({ name }) => name);
  const canProbe =
    (goal === undefined || goal.kind === GOAL_KIND_UNSPECIFIED || goal.kind === GOAL_KIND_DEACTIVATE_ALL) &&
    variables.every(
      ({ variable, relative }) => inputs.includes(variable) && !relative && !isBlackBox(victim, variable),
    );
  const norms = new Set(variables.map((budget) => normOf(model, budget)));
  const isPlain = variables.every(
    ({ frames, region, weighting }) =>
      frames === undefined && region === undefined && weighting === attack.Weighting.WEIGHTING_UNSPECIFIED,
  );
  const isDense = norms.size === 1 && (norms.has(attack.Norm.NORM_LINF) || norms.has(attack.Norm.NORM_L2));
  return { canProbe, canWalk: canProbe && isPlain && isDense };
}

const isBlackBox = ({ gradient }: VictimUnderTest, variable: string) =>
  gradient?.variables.find((one) => one.variable === variable)?.verdict === GRADIENT_VERDICT_BLACK_BOX;

/** The attacked variables with their ranges and budgets. */
export function movingVariables(victim: VictimUnderTest, model: attack.ThreatModel): MovingVariable[] {
  return model.variables.flatMap(({ variable, rho, low, high }) => {
    const input = victim.card.inputs.find(({ name }) => name === variable);
    if (input === undefined) return [];
    const range = valueRange(input);
    return [{ name: variable, rho, low: low ?? range.low, high: high ?? range.high }];
  });
}

/** Whether a scale lets every value of every variable cross its whole range. */
export function crossesAll(victim: VictimUnderTest, model: attack.ThreatModel, scale: number): boolean {
  return model.variables.every((budget, at) => {
    const input = victim.card.inputs.find(({ name }) => name === budget.variable);
    const moving = movingVariables(victim, model)[at];
    if (
      input === undefined ||
      moving === undefined ||
      budget.relative ||
      budget.frames !== undefined ||
      budget.weighting !== 0
    )
      return false;
    const count = exampleDims(input).reduce((product, size) => product * size, 1);
    const across = moving.high - moving.low;
    const whole = { linf: across, l2: across * Math.sqrt(count), l1: across * count, l0: count };
    const norm = normName(normOf(model, budget));
    return budget.region === undefined && norm !== undefined && scale * budget.rho >= whole[norm];
  });
}

/** Clips as they are looked at; the batches are put together when they are asked for. */
export function assessedClips(
  victim: VictimUnderTest,
  model: attack.ThreatModel,
  clips: readonly AttackedClip[],
): AssessedClips {
  const variables = movingVariables(victim, model);
  const norm = model.variables.every((budget) => normOf(model, budget) === attack.Norm.NORM_LINF) ? 'linf' : 'l2';
  const names = victim.card.inputs.map(({ name }) => name);
  // One compiled gradient serves all threat models, where the victim has those of all its inputs.
  const hasAll = victim.gradient !== undefined && !names.some((name) => isBlackBox(victim, name));
  const batch = (rows: readonly number[]): ProbedClips => {
    const chosen = rows.flatMap((row) => clips[row] ?? []);
    const labels = chosen.map((clip) => clip.labels);
    return {
      inputs: new Map(names.map((name) => [name, inputOf(chosen, name)])),
      targets: { dims: [chosen.length, victim.card.labels.length], data: targetsOf(victim, labels) },
      variables,
      norm,
      differentiated: hasAll ? names : undefined,
    };
  };
  return { count: clips.length, batch };
}

function inputOf(clips: readonly AttackedClip[], name: string): DenseTensor {
  return stackRows(
    clips.map(({ inputs }) => {
      const row = inputs.get(name);
      if (row === undefined) throw new RangeError(`a clip has no input '${name}'`);
      return row;
    }),
  );
}
