import { attack } from '@faultline/contracts';
import type { GoalName, GoalReport } from '@faultline/report';
import { marginOf, type VictimUnderTest } from '../peers/victim-under-test.ts';

const {
  GOAL_KIND_UNSPECIFIED,
  GOAL_KIND_DEACTIVATE_ONE,
  GOAL_KIND_FABRICATE_ONE,
  GOAL_KIND_TOP_K,
  GOAL_KIND_TARGETED,
} = attack.GoalKind;

/** What an attack wants of the logits; undefined: that every true label is inactive. */
export type Goal = attack.Goal | undefined;

const NAMES: Readonly<Record<number, GoalName>> = {
  [GOAL_KIND_DEACTIVATE_ONE]: 'deactivate one',
  [GOAL_KIND_FABRICATE_ONE]: 'fabricate one',
  [GOAL_KIND_TOP_K]: 'top k',
  [GOAL_KIND_TARGETED]: 'targeted',
};

/** A goal as reports name it. */
export function goalReport(goal: Goal): GoalReport {
  return {
    kind: NAMES[goal?.kind ?? GOAL_KIND_UNSPECIFIED] ?? 'deactivate all',
    label: goal === undefined || goal.label === '' ? null : goal.label,
    k: goal?.kind === GOAL_KIND_TOP_K ? goal.k : null,
  };
}

/** Whether a goal needs a label that is named, can be told one, or takes none. */
export function labelRule(kind: attack.GoalKind): 'required' | 'optional' | 'none' {
  if (kind === GOAL_KIND_TARGETED) return 'required';
  return kind === GOAL_KIND_DEACTIVATE_ONE || kind === GOAL_KIND_FABRICATE_ONE ? 'optional' : 'none';
}

interface Label {
  readonly index: number;
  readonly isTrue: boolean;
  readonly logit: number;
  /** Logit above the threshold. */
  readonly height: number;
}

function labelsOf({ card }: VictimUnderTest, logits: Float32Array, trueLabels: readonly string[]): Label[] {
  return card.labels.map(({ label, threshold }, index) => {
    const logit = logits[index] ?? Number.NaN;
    return { index, isTrue: trueLabels.includes(label), logit, height: logit - threshold };
  });
}

const highest = (labels: readonly Label[], of: 'logit' | 'height') => labels.toSorted((a, b) => b[of] - a[of]);

/** The label that a goal names, or the one that comes first; throws where there is none. */
function chosen(victim: VictimUnderTest, goal: attack.Goal, labels: readonly Label[], first: Label | undefined): Label {
  const named = goal.label === '' ? first : labels[victim.labelIndex.get(goal.label) ?? -1];
  if (named === undefined) throw new RangeError(`victim '${victim.name}' has no label for the goal '${goal.label}'`);
  return named;
}

/**
 * Margin of a goal in float64, below 0 beyond it: attack.v1alpha1.GoalKind says of what.
 * @param logits one row, [labels].
 * @param trueLabels at least one.
 * @throws RangeError where the victim has no such label.
 */
export function goalMargin(
  victim: VictimUnderTest,
  goal: Goal,
  logits: Float32Array,
  trueLabels: readonly string[],
): number {
  const labels = labelsOf(victim, logits, trueLabels);
  const trueOnes = labels.filter(({ isTrue }) => isTrue);
  const falseOnes = labels.filter(({ isTrue }) => !isTrue);
  switch (goal?.kind) {
    case GOAL_KIND_DEACTIVATE_ONE:
      return chosen(victim, goal, labels, highest(trueOnes, 'height').at(-1)).height;
    case GOAL_KIND_FABRICATE_ONE:
      return -chosen(victim, goal, labels, highest(falseOnes, 'height')[0]).height;
    case GOAL_KIND_TOP_K: {
      const most = highest(trueOnes, 'logit')[0]?.logit ?? Number.NaN;
      return most - (highest(falseOnes, 'logit')[goal.k - 1]?.logit ?? Number.NaN);
    }
    case GOAL_KIND_TARGETED: {
      const target = chosen(victim, goal, labels, undefined);
      const others = labels.filter(({ index }) => index !== target.index);
      return (highest(others, 'logit')[0]?.logit ?? Number.NaN) - target.logit;
    }
    default:
      return marginOf(victim, logits, trueLabels);
  }
}

/** Indices of the labels that a goal is about, at a point with these logits. */
function ownLabels(victim: VictimUnderTest, goal: Goal, labels: readonly Label[]): ReadonlySet<number> {
  const trueOnes = labels.filter(({ isTrue }) => isTrue);
  const falseOnes = labels.filter(({ isTrue }) => !isTrue);
  switch (goal?.kind) {
    case GOAL_KIND_DEACTIVATE_ONE:
      return new Set([chosen(victim, goal, labels, highest(trueOnes, 'height').at(-1)).index]);
    case GOAL_KIND_FABRICATE_ONE:
      return new Set([chosen(victim, goal, labels, highest(falseOnes, 'height')[0]).index]);
    case GOAL_KIND_TARGETED:
      return new Set([chosen(victim, goal, labels, undefined).index]);
    default:
      return new Set(trueOnes.map(({ index }) => index));
  }
}

/** Labels beside the goal's own that an attack switched, by name. */
export interface Collateral {
  readonly turnedOff: readonly string[];
  readonly turnedOn: readonly string[];
}

/** Compares which labels are active (at or above their thresholds) when clean and when attacked; the goal's own do not count. */
export function collateralOf(
  victim: VictimUnderTest,
  goal: Goal,
  clean: Float32Array,
  attacked: Float32Array,
  trueLabels: readonly string[],
): Collateral {
  const after = labelsOf(victim, attacked, trueLabels);
  const own = ownLabels(victim, goal, after);
  const before = labelsOf(victim, clean, trueLabels);
  const switched = (wasActive: boolean) =>
    after
      .filter(({ index, height }) => !own.has(index) && height >= 0 !== wasActive)
      .filter(({ index }) => (before[index]?.height ?? Number.NaN) >= 0 === wasActive)
      .map(({ index }) => victim.card.labels[index]?.label ?? '');
  return { turnedOff: switched(true), turnedOn: switched(false) };
}

/** Whether two goals are one. */
export function sameGoal(first: Goal, second: Goal): boolean {
  return JSON.stringify(goalReport(first)) === JSON.stringify(goalReport(second));
}
