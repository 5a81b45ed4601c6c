import { attack, type DenseTensor, type victim } from '@faultline/contracts';
import type { CheckedAttack } from './check-threat-model.ts';
import type { Faults } from './faults.ts';
import type { Goal } from './goals.ts';

const { GoalKind } = attack;

/** Fewest false labels of any clip. */
function fewestFalse({ dims, data }: DenseTensor<Float32Array>): number {
  const [clips = 0, labels = 0] = dims;
  const counts = Array.from({ length: clips }, (_, clip) =>
    data.subarray(clip * labels, (clip + 1) * labels).reduce((count, target) => count + (target === 0 ? 1 : 0), 0),
  );
  return Math.min(...counts);
}

/** The goal, or undefined for that of all attacks: every true label inactive. What cannot be used has left a fault. */
export function checkGoal(
  { goal, rungs }: attack.ThreatModel,
  { definition }: CheckedAttack,
  card: victim.Card,
  targets: DenseTensor<Float32Array>,
  faults: Faults,
): Goal | undefined {
  if (goal === undefined) return undefined;
  const { kind, label: name, k } = goal;
  const field = 'threat_model.goal';
  const label = card.labels.findIndex((known) => known.label === name);
  const takesLabel =
    kind === GoalKind.GOAL_KIND_TARGETED ||
    kind === GoalKind.GOAL_KIND_DEACTIVATE_ONE ||
    kind === GoalKind.GOAL_KIND_FABRICATE_ONE;
  if (name !== '' && !takesLabel) faults.add(`${field}.label`, `is '${name}'; this kind of goal takes none`);
  else if (name !== '' && label < 0) faults.add(`${field}.label`, `'${name}' is no label of victim '${card.name}'`);
  if (k !== 0 && kind !== GoalKind.GOAL_KIND_TOP_K) faults.add(`${field}.k`, `is ${k}; only GOAL_KIND_TOP_K takes one`);
  if (kind === GoalKind.GOAL_KIND_UNSPECIFIED || kind === GoalKind.GOAL_KIND_DEACTIVATE_ALL) return undefined;

  const told = definition.kind !== 'minimum norm' && definition.anyGoal === true;
  faults.unless(
    told,
    field,
    `is not one that '${definition.name}' can be told; use pgd, apgd or ensemble, or leave it out`,
  );
  faults.unless(rungs.length > 0, field, 'needs a ladder; give rungs');
  const chosen = label < 0 ? undefined : label;
  switch (kind) {
    case GoalKind.GOAL_KIND_DEACTIVATE_ONE:
      return { kind: 'deactivate one', label: chosen };
    case GoalKind.GOAL_KIND_FABRICATE_ONE:
      if (chosen === undefined && fewestFalse(targets) === 0)
        faults.add(field, 'has no false label to fabricate in some clip');
      return { kind: 'fabricate one', label: chosen };
    case GoalKind.GOAL_KIND_TOP_K: {
      const most = fewestFalse(targets);
      faults.unless(
        k >= 1 && k <= most,
        `${field}.k`,
        `is ${k}; give 1 to ${most}, the fewest false labels of any clip`,
      );
      return { kind: 'top k', k };
    }
    case GoalKind.GOAL_KIND_TARGETED:
      faults.unless(name !== '', `${field}.label`, 'is empty; name the label that is to be the highest');
      faults.unless(card.labels.length > 1, field, 'needs a victim of at least two labels');
      return { kind: 'targeted', label: Math.max(0, label) };
    default:
      faults.add(`${field}.kind`, 'is not known');
      return undefined;
  }
}
