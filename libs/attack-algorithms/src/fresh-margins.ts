import { attack, type DenseTensor, type victim } from '@faultline/contracts';

const { GOAL_KIND_UNSPECIFIED, GOAL_KIND_DEACTIVATE_ALL } = attack.GoalKind;

/** Whether a threat model's goal is that all true labels fall below their thresholds. */
export const deactivatesAll = ({ goal }: attack.ThreatModel): boolean =>
  goal === undefined || goal.kind === GOAL_KIND_UNSPECIFIED || goal.kind === GOAL_KIND_DEACTIVATE_ALL;

/**
 * max over the true labels of z - t, one a row.
 * @param logits [clips.length, labels]
 * @param clips the row of the targets that each row of logits is of.
 * @param targets [.., labels], 1 at the true labels.
 */
export function deactivationMargins(
  logits: Float32Array,
  clips: readonly number[],
  targets: DenseTensor,
  { labels }: victim.Card,
): number[] {
  return clips.map((clip, row) =>
    Math.max(
      ...labels.flatMap(({ threshold }, label) =>
        targets.data[clip * labels.length + label] === 1
          ? [(logits[row * labels.length + label] ?? Number.NaN) - threshold]
          : [],
      ),
    ),
  );
}
