import { attack, type DenseTensor, type victim } from '@faultline/contracts';
import type { CheckedAttack } from './check-threat-model.ts';
import type { Faults } from './faults.ts';
import type { Goal } from './goals.ts';

const { GoalKind } = attack;

/** Each kind of the contract, as the algorithms name it. */
const GOAL_KINDS: readonly (readonly [attack.GoalKind, Goal['kind']])[] = [
  [GoalKind.GOAL_KIND_DEACTIVATE_ALL, 'deactivate all'],
  [GoalKind.GOAL_KIND_DEACTIVATE_ONE, 'deactivate one'],
  [GoalKind.GOAL_KIND_FABRICATE_ONE, 'fabricate one'],
  [GoalKind.GOAL_KIND_TOP_K, 'top k'],
  [GoalKind.GOAL_KIND_TARGETED, 'targeted'],
];

/** Goals in the words of the contract. */
export const goalKinds = (goals: readonly Goal['kind'][]): attack.GoalKind[] =>
  GOAL_KINDS.flatMap(([kind, name]) => (goals.includes(name) ? [kind] : []));

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
  { goal }: attack.ThreatModel,
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

  const { name: algorithm, goals } = definition;
  const wanted = GOAL_KINDS.find(([known]) => known === kind)?.[1];
  if (wanted !== undefined && goals?.includes(wanted) === false) {
    const taken = goals.map((one) => `'${one}'`).join(', ');
    faults.add(field, `is '${wanted}', which '${algorithm}' cannot be told; it takes ${taken}`);
  }
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
